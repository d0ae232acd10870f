// Runs of audit as a section: the verdicts, judged again from the records with the bars of the header.
#include <cmath>

#include "core/check.h"
#include "report/audit_judge.h"
#include "report/run_section.h"

namespace purescope {
namespace {

// What the judge reads of the options, from the header.
AuditOptions audit_options(const RunRecords& run) {
  AuditOptions o;
  int n = 0;
  set_audit_profile(run.config.get_string("profile"), o, n);
  o.checks.clear();
  for (int64_t id : config_ints(run, "checks")) o.checks.push_back(static_cast<int>(id));
  o.pgd.norm = run.config.get_string("norm") == "l2" ? Norm::L2 : Norm::Linf;
  o.pgd.steps = static_cast<int>(run.config.get_int("steps"));
  o.pgd.relative_step = run.config.get_double("rel-step");
  o.pgd.restarts = static_cast<int>(run.config.get_int("restarts"));
  o.pgd.best_iterate = run.config.get_bool("best-iterate");
  o.eps = run.config.get_double("eps");
  o.backward = parse_backward(run.config.get_string("backward"), "backward");
  o.eot = static_cast<int>(run.config.get_int("eot"));
  o.directions = static_cast<int>(run.config.get_int("directions"));
  o.proof_images = static_cast<int>(run.config.get_int("proof-images"));
  o.random_samples = static_cast<int>(run.config.get_int("samples"));
  o.search_queries = static_cast<int>(run.config.get_int("queries"));
  o.budgets = config_numbers(run, "budgets");
  return o;
}

AuditBars audit_bars(const RunRecords& run) {
  const JsonObject j = JsonObject::parse(run.header.raw("bars"), run.folder + "/header.json");
  AuditBars b;
  b.difference_double = j.get_double("difference_double"),
  b.difference_production = j.get_double("difference_production");
  b.recompute_cosine = j.get_double("recompute_cosine"), b.precision_cosine = j.get_double("precision_cosine");
  b.clipped_last = j.get_double("clipped_last"), b.zero_gradient = j.get_double("zero_gradient"),
  b.straight_through = j.get_double("straight_through");
  b.flow_ratio = j.get_double("flow_ratio"), b.more_steps = j.get_double("more_steps"),
  b.loss_gain = j.get_double("loss_gain");
  b.restarts = j.get_double("restarts"), b.random_search = j.get_double("random_search"),
  b.gradient_free = j.get_double("gradient_free");
  b.transfer = j.get_double("transfer"), b.fixed_noise = j.get_double("fixed_noise"), b.loss = j.get_double("loss");
  b.split_half_cosine = j.get_double("split_half_cosine"), b.instability = j.get_double("instability");
  return b;
}

std::vector<std::string> verdict_findings(const std::vector<AuditCheck>& checks) {
  int count[5] = {};
  std::vector<std::string> found;
  for (const AuditCheck& c : checks) {
    ++count[static_cast<int>(c.verdict)];
    if (c.verdict == Verdict::Fail || c.verdict == Verdict::Warn)
      found.push_back(std::string(verdict_name(c.verdict)) + ", " + audit_check_name(c.id) + ": " + c.statistic + ". " +
                      c.meaning + " " + c.todo);
  }
  const auto number = [&](Verdict v) { return std::to_string(count[static_cast<int>(v)]); };
  found.insert(found.begin(), std::string(any_fail(checks)                         ? "FAIL"
                                          : count[static_cast<int>(Verdict::Warn)] ? "WARN"
                                                                                   : "PASS") +
                                  ": " + number(Verdict::Pass) + " checks passed, " + number(Verdict::Warn) +
                                  " warned, " + number(Verdict::Fail) + " failed, " + number(Verdict::Report) +
                                  " report without a rule, " + number(Verdict::Skip) + " were skipped.");
  return found;
}

}  // namespace

Section audit_section(const RunRecords& run) {
  Section s;
  s.name = "audit";
  s.title = "Is the gradient right, and the attack as strong as it should be?";
  s.caption =
      "Checks for masked gradients: of the gradient itself, and of the attack that follows it. Every verdict is judged "
      "from the records, with the bars beside it.";
  s.settings = {{"defence", run.config.get_string("defence")}, {"profile", run.config.get_string("profile")}};
  if (const std::string plant = run.config.get_string("plant"); !plant.empty())
    s.settings.emplace_back("planted mistake", plant);
  const JsonObject data = JsonObject::parse(run.header.raw("data"), run.folder);
  s.settings.emplace_back("images", data.get_string("description"));
  s.settings.emplace_back("attack", "pgd, steps " + run.config.raw("steps") + ", " + run.config.get_string("norm") +
                                        " budget " + budget_text(run.config.get_double("eps")) + ", gradient " +
                                        run.config.get_string("backward"));
  if (!run.finished) {  // verdicts on half of the records would mislead
    s.findings = {"The audit is not finished, so nothing is judged yet; the same command with --resume goes on."};
    return s;
  }
  const std::vector<AuditCheck> checks = judge_audit(run.records, audit_options(run), audit_bars(run));
  s.findings = verdict_findings(checks);
  ResultTable t{"Verdicts",
                "figure: what was judged, with its 95 % interval where it has one; bar: what it was held against",
                {{"#", "", 0},
                 {"check", "", 0},
                 {"verdict", "", 0},
                 {"what was found", "", 0},
                 {"figure", "", 4},
                 {"bar", "", 4}},
                {}};
  for (const AuditCheck& c : checks) {
    Cell figure = value_cell(c.value);
    figure.low = c.low, figure.high = c.high;
    if (c.n > 0) figure.n = c.n;
    t.rows.push_back({count_cell(c.id), word_cell(audit_check_name(c.id)), word_cell(verdict_name(c.verdict)),
                      word_cell(c.statistic), figure, value_cell(c.bar)});
  }
  s.tables = {t};
  return s;
}

}  // namespace purescope
