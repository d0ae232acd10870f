// The one exception type, the exit codes, and the ways to raise it.
#pragma once
#include <stdexcept>
#include <string>

namespace purescope {

// Exit codes of the program (docs/protocol.md lists them for users).
enum ExitCode : int {
  kOk = 0,
  kNegative = 1,         // ran; the finding is negative (verify mismatch, compare differs)
  kUsage = 2,            // wrong flags
  kBadInput = 65,        // a file or value is damaged or does not fit
  kMissingInput = 66,    // a file does not exist
  kUnavailable = 69,     // device missing, or out of memory at the smallest batch
  kInternal = 70,        // a bug of ours
  kCannotCreate = 73,    // output exists or cannot be written
  kIoError = 74,         // disk full, read or write error
  kStopped = 75,         // stopped early, resumable
  kPermission = 77,
  kConfigMismatch = 78,  // resume with another configuration, or a second writer
};

// Every error says what is wrong, where (file, key, step and model line), and what to do.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what, const std::string& where, const std::string& todo)
      : std::runtime_error(what), code(code), where(where), todo(todo) {}
  ExitCode code;
  std::string where, todo;
  // The three lines shown to the user: "error: what", "  in where", "  todo".
  std::string message() const;
};

[[noreturn]] void fail(ExitCode code, const std::string& what, const std::string& where = "",
                       const std::string& todo = "");

// A broken promise between two of our own functions: exit 70 with file and line.
[[noreturn]] void broken(const char* condition, const char* file, int line);
#define PURESCOPE_REQUIRE(condition) \
  do { if (!(condition)) ::purescope::broken(#condition, __FILE__, __LINE__); } while (0)

}  // namespace purescope
