// The program: registers the commands, runs the chosen one, and turns every failure into three lines and an exit code.
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

#include "cli/shared_flags.h"
#include "core/check.h"

using namespace purescope;

int main(int argc, char** argv) {
  try {
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
      std::puts("purescope " PURESCOPE_VERSION);
      return kOk;
    }
    if (argc == 2 && std::strcmp(argv[1], "--list-presets") == 0) {
      std::fputs(preset_list().c_str(), stdout);
      return kOk;
    }
    Program program;
    register_attack_commands(program);
    register_audit_commands(program);
    register_experiment_commands(program);
    register_study_commands(program);
    register_check_commands(program);
    register_report_commands(program);
    register_data_commands(program);
    return program.run(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return error.code;
  } catch (const std::bad_alloc&) {
    std::fprintf(
        stderr,
        "error: out of memory\n  in the memory of this process\n"
         "  use a smaller --batch, a smaller network or --memory min\n");
    return kUnavailable;
  } catch (const std::exception& error) {
    std::fprintf(stderr,
                 "error: internal: %s\n  in purescope " PURESCOPE_VERSION
                 "\n  this is a bug; please report it with the command line\n",
                 error.what());
    return kInternal;
  }
}
