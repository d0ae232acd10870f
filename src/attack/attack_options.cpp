#include "attack/attack_options.h"

#include <cstdio>

#include "core/check.h"

namespace purescope {
namespace {

struct Name { AttackKind kind; const char* name; const char* norms; };
constexpr Name kNames[] = {
    {AttackKind::Pgd, "pgd", "linf, l2"},          {AttackKind::Fgsm, "fgsm", "linf, l2"},   {AttackKind::ApgdCe, "apgd-ce", "linf, l2"},
    {AttackKind::ApgdDlr, "apgd-dlr", "linf, l2"}, {AttackKind::ApgdT, "apgd-t", "linf, l2"}, {AttackKind::Square, "square", "linf"},
    {AttackKind::Spsa, "spsa", "linf"},            {AttackKind::Nes, "nes", "linf"},         {AttackKind::Random, "random", "linf, l2"},
    {AttackKind::Suite, "suite", "linf"}};

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}

std::string step_text(const PgdOptions& p) {
  return p.absolute_step > 0 ? "step " + number(p.absolute_step) : "step " + number(p.relative_step) + " eps";
}

}  // namespace

const char* attack_name(AttackKind kind) { return kNames[static_cast<int>(kind)].name; }
const char* attack_norms(AttackKind kind) { return kNames[static_cast<int>(kind)].norms; }

std::vector<std::string> attack_names() {
  std::vector<std::string> names;
  for (const Name& n : kNames) names.push_back(n.name);
  return names;
}

AttackKind parse_attack_kind(const std::string& name) {
  std::string list;
  for (const Name& n : kNames) {
    if (name == n.name) return n.kind;
    list += (list.empty() ? "" : ", ") + std::string(n.name);
  }
  fail(kUsage, "unknown attack '" + name + "'", "--attack", "choose from " + list);
}

const std::vector<AttackKind>& suite_sequence() {
  static const std::vector<AttackKind> sequence = {AttackKind::ApgdCe, AttackKind::ApgdT, AttackKind::Square, AttackKind::Pgd};
  return sequence;
}

const char* eot_mode_name(EotMode mode) { return mode == EotMode::Loss ? "loss" : "logits"; }

std::string describe_attack(const PgdOptions& p, const AttackSettings& s) {
  const std::string restarts = ", restarts " + std::to_string(p.restarts), queries = "queries " + std::to_string(s.queries);
  std::string text;
  switch (s.kind) {
    case AttackKind::Pgd:
      text = "steps " + std::to_string(p.steps) + ", " + step_text(p) + (p.random_start ? ", random start" : ", start x0") + restarts +
             (p.best_iterate ? ", best iterate" : "");
      break;
    case AttackKind::Fgsm: text = "one step of eps"; break;
    case AttackKind::ApgdCe:
    case AttackKind::ApgdDlr: text = "steps " + std::to_string(s.apgd_steps) + restarts; break;
    case AttackKind::ApgdT: text = "steps " + std::to_string(s.apgd_steps) + ", targets " + std::to_string(s.targets) + restarts; break;
    case AttackKind::Square:
      text = queries + ", p " + number(s.square_p) + (s.square_rescale ? ", rescaled schedule" : "") + restarts;
      break;
    case AttackKind::Spsa:
      text = queries + ", samples " + std::to_string(s.samples) + ", sigma " + number(s.sigma > 0 ? s.sigma : 0.01) + ", Adam " + number(s.learning_rate);
      break;
    case AttackKind::Nes:
      text = queries + ", samples " + std::to_string(s.samples) + ", sigma " + number(s.sigma > 0 ? s.sigma : 0.001) + ", " + step_text(p);
      break;
    case AttackKind::Random: text = queries; break;
    case AttackKind::Suite: {
      for (AttackKind kind : suite_sequence()) {
        AttackSettings part = s;
        part.kind = kind;
        part.eot = {};
        text += (text.empty() ? "" : "; ") + std::string(attack_name(kind)) + " " + describe_attack(p, part);
      }
      break;
    }
  }
  if (s.eot.draws > 1)
    text += ", eot " + std::to_string(s.eot.draws) + " " + eot_mode_name(s.eot.mode) + (s.eot.average ? " average" : "");
  return text;
}

}  // namespace purescope
