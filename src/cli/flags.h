// Command-line parsing: commands with typed options, help that starts with examples, a suggestion on a typo, values
// from --config. Everything here is a thin layer; only flags.cpp sees the parser library.
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace purescope {

class Command {
 public:
  using Setter = std::function<void(const std::string& text, const std::string& flag)>;
  struct State;
  explicit Command(std::unique_ptr<State> state);
  ~Command();

  // Heading in the help of the options that follow.
  void group(const std::string& title);
  // `names` as "-p,--purifier"; `type` is shown in the help. `set` gets the text and the long name; it runs after the
  // whole line has been read, in the order of registration, and refuses bad text with Error 2.
  void option(const std::string& names, const std::string& type, const std::string& help, Setter set);
  void flag(const std::string& names, const std::string& help, bool& out);
  void on_off(const std::string& name, const std::string& help, bool& out);  // --name and --no-name
  // Words without a dash, in order.
  void argument(const std::string& name, const std::string& help, std::string& out, bool required = true);
  void arguments(const std::string& name, const std::string& help, std::vector<std::string>& out, bool required = true);
  // The option just added must be given, on the line or in the configuration file.
  void required();

  // Options of one kind, on top of option().
  void text(const std::string& names, const std::string& type, const std::string& help, std::string& out);
  void count(const std::string& names, const std::string& help, int& out);  // 1 and up
  void integer(const std::string& names, const std::string& help, int64_t& out, int64_t low, int64_t high);
  void integers(const std::string& names, const std::string& help, std::vector<int64_t>& out, int64_t low,
                int64_t high);
  void fraction(const std::string& names, const std::string& help, double& out);                // "8/255"
  void fractions(const std::string& names, const std::string& help, std::vector<double>& out);  // "2/255,8/255"
  void choice(const std::string& names, const std::string& help, std::initializer_list<const char*> values,
              std::string& out);

 private:
  friend class Program;
  std::unique_ptr<State> state_;
};

class Program {
 public:
  Program();
  ~Program();
  // `examples`: whole command lines. `run` is called once its options are set; its value is the exit code.
  Command& add(const std::string& name, const std::string& group, const std::string& summary,
               const std::vector<std::string>& examples, std::function<int()> run);
  // `use` is told the whole command line, before any command runs.
  void on_line(std::function<void(const std::vector<std::string>& words)> use);
  // Parses and runs. Throws Error 2 on wrong usage.
  int run(int argc, char** argv);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The nearest of `known` within two edits, or one that starts with `word`; empty if there is none.
std::string suggestion(const std::string& word, const std::vector<std::string>& known);

}  // namespace purescope
