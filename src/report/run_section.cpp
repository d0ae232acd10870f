#include "report/run_section.h"

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "core/check.h"
#include "io/durable.h"
#include "report/audit_records.h"
#include "report/section_json.h"
#include "report/svg_text.h"

namespace purescope {
namespace {

std::string list_text(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& i : items) text += (text.empty() ? "" : ", ") + i;
  return text;
}

// Records of a whole run, as run_attack counts them; -1 for other commands.
int64_t record_total(const RunRecords& run) {
  if (run.command != "attack" && run.command != "cr" && run.command != "predict") return -1;
  const auto length = [&](const char* key) {
    return static_cast<int64_t>(json_elements(run.config.raw(key), run.folder).size());
  };
  const bool clean = run.command == "predict" || (run.command == "attack" && run.config.get_bool("predict"));
  const int64_t per = run.command == "attack" ? length("rand") : run.command == "cr" ? 1 : 2;
  return run.config.get_int("n") * (length("t") * length("seed") * length("eps") * per + (clean ? length("eps") : 0));
}

}  // namespace

Section run_section(const RunRecords& run) {
  const std::string path = run.folder + "/section.json";
  Section s;
  if (std::filesystem::exists(path)) s = section_from_json(read_text_file(path), path);
  else if (run.command == "attack" || run.command == "cr" || run.command == "predict") s = attack_section(run);
  else if (run.command == "protocol") s = protocol_section(run);
  else if (run.command == "audit") s = audit_section(run);
  else if (run.command.starts_with("experiment")) {
    s.name = run.command;
    s.title = "Experiment " + run.command.substr(std::min(run.command.size(), std::string("experiment-").size()));
    s.findings = {
        "The experiment is not finished, so there is nothing to say yet; the same command with --resume goes on."};
  } else {
    fail(kBadInput, "no report for a run of the command '" + run.command + "'", run.folder,
         "name runs of attack, cr, predict, protocol, audit or experiment");
  }
  if (s.command.empty()) s.command = run.command_line;
  return s;
}

std::string run_partial(const RunRecords& run) {
  if (run.finished) return "";
  const int64_t total = record_total(run);
  return std::to_string(run.records.size()) + (total < 0 ? "" : " of " + std::to_string(total)) + " records are there";
}

std::string budget_text(double eps) {
  const double k = eps * 255;
  return std::abs(k - std::round(k)) < 1e-9 * k && k > 0 ? std::to_string(static_cast<int>(std::round(k))) + "/255"
                                                         : short_number(eps);
}

std::string share_text(const Proportion& p) {
  char text[80];
  std::snprintf(text, sizeof text, "%.1f %% [%.1f, %.1f]", 100 * p.value, 100 * p.low, 100 * p.high);
  return p.n == 0 ? "-" : text;
}

std::vector<double> config_numbers(const RunRecords& run, const std::string& key) {
  return json_numbers(run.config.raw(key));
}
std::vector<int64_t> config_ints(const RunRecords& run, const std::string& key) {
  std::vector<int64_t> values;
  for (double v : config_numbers(run, key)) values.push_back(static_cast<int64_t>(v));
  return values;
}

std::vector<std::pair<std::string, std::string>> run_settings(const RunRecords& run) {
  std::vector<std::pair<std::string, std::string>> settings;
  const auto object = [&](const char* key) {
    return JsonObject::parse(run.header.has(key) ? run.header.raw(key) : "{}", run.folder + "/header.json");
  };
  const JsonObject purifier = object("purifier"), classifier = object("classifier"), data = object("data");
  if (purifier.has("file")) settings.emplace_back("purifier", purifier.get_string("file"));
  if (classifier.has("file")) settings.emplace_back("classifier", classifier.get_string("file"));
  if (data.has("description")) settings.emplace_back("images", data.get_string("description"));
  if (run.header.has("purification"))
    for (const std::string& words : run.header.get_strings("purification"))
      settings.emplace_back("purification", words);
  const bool known = run.config.has("eps") && run.config.raw("eps").front() == '[';
  std::vector<std::string> budgets, seeds;
  if (known)
    for (double eps : config_numbers(run, "eps")) budgets.push_back(budget_text(eps));
  if (known) settings.emplace_back("budget", run.config.get_string("norm") + " " + list_text(budgets));
  for (const std::string& line : run.records) {
    const JsonObject o = JsonObject::parse(line, run.folder);
    if (!o.has("options") || o.get_string("options").empty()) continue;
    settings.emplace_back(
        "attack", o.get_string("attack") + ", " + o.get_string("options") + ", gradient " + o.get_string("grad"));
    break;
  }
  for (int64_t seed : config_ints(run, "seed")) seeds.push_back(std::to_string(seed));
  settings.emplace_back("seed", list_text(seeds));
  if (run.command == "attack" && run.config.has("rand"))
    settings.emplace_back("randomness", list_text(run.config.get_strings("rand")));
  if (run.config.has("draws")) settings.emplace_back("draws of the compression rate", run.config.raw("draws"));
  return settings;
}

}  // namespace purescope
