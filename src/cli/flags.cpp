#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <deque>

#include "cli/config_file.h"
#include "core/check.h"
#include "io/fraction.h"
#include "io/signals.h"
#include "io/text.h"

namespace purescope {
namespace {

// Levenshtein distance: fewest insertions, deletions and substitutions.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t keep = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, keep});
    }
  }
  return row[b.size()];
}

std::string long_name(const std::string& names) {
  const size_t at = names.find("--");
  return names.substr(at, names.find(',', at) - at);
}

}  // namespace

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  size_t least = 3;
  for (const std::string& name : known)
    if (const size_t d = edit_distance(word, name); d < least && d < name.size() - name.find_first_not_of('-')) {
      least = d;
      best = name;
    }
  if (!best.empty() || word.size() < 4) return best;
  for (const std::string& name : known)
    if (name.starts_with(word)) return name;
  return "";
}

struct Command::State {
  struct Entry {
    std::string name;  // "--steps"
    CLI::Option* option;
    Setter set;
    bool required = false;
    std::shared_ptr<std::string> text = std::make_shared<std::string>();
  };
  CLI::App* app;
  std::string heading = "Options";
  std::vector<Entry> entries;
  std::function<int()> run;

  std::vector<std::string> names() const {
    std::vector<std::string> list = {"--help", "--config"};
    for (const Entry& e : entries) list.push_back(e.name);
    return list;
  }
};

// A flag that makes `out` equal to `value`; "false" in a configuration file makes it the opposite.
static void add_switch(Command::State& s, bool value, const std::string& names, const std::string& help, bool& out) {
  Command::State::Entry entry{long_name(names), nullptr, [&out, value](const std::string& text, const std::string& flag) {
                                if (text != "true" && text != "false")
                                  fail(kUsage, "\"" + printable(text) + "\" is not true or false", flag, "write true or false");
                                out = (text == "true") == value;
                              }};
  entry.option = s.app->add_flag(names)->description(help)->group(s.heading);
  *entry.text = "true";
  s.entries.push_back(std::move(entry));
}

Command::Command(std::unique_ptr<State> state) : state_(std::move(state)) {}
Command::~Command() = default;

void Command::group(const std::string& title) { state_->heading = title; }

void Command::option(const std::string& names, const std::string& type, const std::string& help, Setter set) {
  State::Entry entry{long_name(names), nullptr, std::move(set)};
  entry.option = state_->app->add_option(names, *entry.text, help)->type_name(type)->group(state_->heading);
  state_->entries.push_back(std::move(entry));
}

void Command::flag(const std::string& names, const std::string& help, bool& out) { add_switch(*state_, true, names, help, out); }

void Command::on_off(const std::string& name, const std::string& help, bool& out) {
  add_switch(*state_, true, "--" + name, help, out);
  add_switch(*state_, false, "--no-" + name, "the opposite", out);
}

void Command::argument(const std::string& name, const std::string& help, std::string& out, bool required) {
  auto* option = state_->app->add_option(name, out, help)->type_name("");
  if (required) option->required();
}

void Command::arguments(const std::string& name, const std::string& help, std::vector<std::string>& out,
                        bool required) {
  auto* option = state_->app->add_option(name, out, help)->type_name("");
  if (required) option->required();
}

void Command::required() {
  State::Entry& entry = state_->entries.back();
  entry.required = true;
  entry.option->description(entry.option->get_description() + " (required)");
}

void Command::text(const std::string& names, const std::string& type, const std::string& help, std::string& out) {
  option(names, type, help, [&out](const std::string& text, const std::string&) { out = text; });
}
void Command::count(const std::string& names, const std::string& help, int& out) {
  option(names, "N", help, [&out](const std::string& text, const std::string& flag) { out = parse_count(text, flag); });
}
void Command::integer(const std::string& names, const std::string& help, int64_t& out, int64_t low, int64_t high) {
  option(names, "N", help,
         [=, &out](const std::string& text, const std::string& flag) { out = parse_int(text, flag, low, high); });
}
void Command::integers(const std::string& names, const std::string& help, std::vector<int64_t>& out, int64_t low,
                       int64_t high) {
  option(names, "N,...", help,
         [=, &out](const std::string& text, const std::string& flag) { out = parse_int_list(text, flag, low, high); });
}
void Command::fraction(const std::string& names, const std::string& help, double& out) {
  option(names, "A/B", help,
         [&out](const std::string& text, const std::string& flag) { out = parse_fraction(text, flag); });
}
void Command::fractions(const std::string& names, const std::string& help, std::vector<double>& out) {
  option(names, "A/B,...", help,
         [&out](const std::string& text, const std::string& flag) { out = parse_fraction_list(text, flag); });
}

void Command::choice(const std::string& names, const std::string& help, std::initializer_list<const char*> values,
                     std::string& out) {
  const std::vector<std::string> known(values.begin(), values.end());
  std::string list;
  for (const std::string& v : known) list += (list.empty() ? "" : "|") + v;
  option(names, list, help, [=, &out](const std::string& text, const std::string& flag) {
    if (std::find(known.begin(), known.end(), text) == known.end()) {
      const std::string near = suggestion(text, known);
      fail(kUsage, "unknown value '" + printable(text) + "'", flag,
           near.empty() ? "choose from " + list : "did you mean " + near + "? (" + list + ")");
    }
    out = text;
  });
}

struct Program::State {
  CLI::App app{
      "purescope: runs and audits diffusion-based adversarial purification.\n\nExamples:\n"
      "  purescope attack                                       # the bundled networks on built-in images\n"
      "  purescope purify -p ddpm.safetensors --input x.png --t 100 --output purified.png\n"
      "  purescope gradient -p ddpm.safetensors -c wrn.safetensors --labels 3 --input x.npy --output g.npy\n"
      "  purescope selftest                                     # are the numbers right on this machine?\n"
      "\n`purescope COMMAND --help` explains one command.",
      "purescope"};
  std::deque<Command> commands;
  std::string config;
  std::vector<std::function<void(const std::vector<std::string>&)>> line_users;
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const Command& c : commands) list.push_back(c.state_->app->get_name());
    return list;
  }
  void check_command(int argc, char** argv) const;
  [[noreturn]] void usage_error(const Command& command, const CLI::ParseError& error, int argc, char** argv) const;
  std::vector<std::string> set_options(Command& command);
};

Program::Program() : state_(std::make_unique<State>()) {
  state_->app.set_help_all_flag("--help-all", "help of all commands");
  state_->app.require_subcommand(0, 1);
}
Program::~Program() = default;

Command& Program::add(const std::string& name, const std::string& group, const std::string& summary,
                      const std::vector<std::string>& examples, std::function<int()> run) {
  auto state = std::make_unique<Command::State>();
  std::string about = summary;
  state->app = state_->app.add_subcommand(name, about)->group(group);
  if (!examples.empty()) about += "\n\nExamples:";
  for (const std::string& e : examples) about += "\n  " + e;
  // The list of commands shows the summary alone.
  state->app->preparse_callback([app = state->app, about](size_t) { app->description(about + "\n"); });
  state->app->add_option("--config", state_->config, "FILE with key = value lines; the command line wins")
      ->type_name("FILE")
      ->group("Common");
  state->run = std::move(run);
  state_->commands.emplace_back(std::move(state));
  return state_->commands.back();
}

// The first word must be a command.
void Program::State::check_command(int argc, char** argv) const {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::vector<std::string> known = names();
  if (std::find(known.begin(), known.end(), argv[1]) != known.end()) return;
  const std::string near = suggestion(argv[1], known);
  fail(kUsage, "unknown command '" + printable(argv[1]) + "'", "the command line",
       near.empty() ? "`purescope --help` lists the commands" : "did you mean '" + near + "'?");
}

void Program::State::usage_error(const Command& command, const CLI::ParseError& error, int argc, char** argv) const {
  const std::string name = command.state_->app->get_name(), help = "`purescope " + name + " --help` lists the options";
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    const std::vector<std::string> known = command.state_->names();
    for (int i = 2; i < argc; ++i) {
      const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
      if (!word.starts_with("--") || std::find(known.begin(), known.end(), word) != known.end()) continue;
      const std::string near = suggestion(word, known);
      fail(kUsage, "unknown option " + printable(word), "purescope " + name,
           near.empty() ? help : "did you mean " + near + "?");
    }
  }
  fail(kUsage, error.what(), "purescope " + name, help);
}

// Runs the setters, in the order of registration: flag > file > default. Returns the line that says the same without a file and with long
// names: COMMAND, its words, then `--name value` or `--flag` for all that was given.
std::vector<std::string> Program::State::set_options(Command& command) {
  Command::State& c = *command.state_;
  const ConfigValues file = config.empty() ? ConfigValues{} : read_config(config, c.app->get_name(), names());
  const std::vector<std::string> known = c.names();
  const auto is_known = [&](const std::string& name) { return std::find(known.begin(), known.end(), name) != known.end(); };
  for (const auto& [key, value] : file) {
    if (is_known("--" + key) && key != "help" && key != "config") continue;
    const std::string near = suggestion("--" + key, known);
    fail(kUsage, "unknown key '" + printable(key) + "'", value.where,
         near.empty() ? "`purescope " + c.app->get_name() + " --help` lists the options"
                      : "did you mean " + near.substr(2) + "?");
  }
  std::vector<std::string> line = {"purescope", c.app->get_name()};
  for (const CLI::Option* o : c.app->get_options())
    if (o->get_positional()) line.insert(line.end(), o->results().begin(), o->results().end());
  for (Command::State::Entry& e : c.entries) {
    const auto value = file.find(e.name.substr(2));
    const bool typed = e.option->count() > 0;
    if (!typed && value == file.end()) {
      if (e.required)
        fail(kUsage, e.name + " is missing", "purescope " + c.app->get_name(),
             "see `purescope " + c.app->get_name() + " --help`");
      continue;
    }
    const std::string text = typed ? *e.text : value->second.text;
    e.set(text, typed ? e.name : value->second.where + ", " + e.name.substr(2));
    const bool is_flag = e.option->get_items_expected_max() == 0, off = is_flag && text == "false";
    if (!off) line.push_back(e.name);
    else if (is_known("--no-" + e.name.substr(2))) line.push_back("--no-" + e.name.substr(2));
    if (!is_flag) line.push_back(text);
  }
  return line;
}

void Program::on_line(std::function<void(const std::vector<std::string>&)> use) { state_->line_users.push_back(std::move(use)); }

int Program::run(int argc, char** argv) {
  State& s = *state_;
  s.check_command(argc, argv);
  Command* command = nullptr;
  for (Command& c : s.commands)
    if (argc > 1 && c.state_->app->get_name() == argv[1]) command = &c;
  if (argc < 2) {
    std::fputs(s.app.help().c_str(), stderr);
    return kUsage;
  }
  try {
    s.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    print_out(s.app.help());
    return kOk;
  } catch (const CLI::CallForAllHelp&) {
    print_out(s.app.help("", CLI::AppFormatMode::All));
    return kOk;
  } catch (const CLI::ParseError& error) {
    if (command) s.usage_error(*command, error, argc, argv);
    fail(kUsage, error.what(), "the command line", "`purescope --help` lists the commands");
  }
  if (!command) fail(kUsage, "no command", "the command line", "`purescope --help` lists the commands");
  const std::vector<std::string> words = s.set_options(*command);
  for (const auto& use : s.line_users) use(words);
  return command->state_->run();
}

}  // namespace purescope
