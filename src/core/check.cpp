#include "core/check.h"

namespace purescope {

std::string Error::message() const {
  std::string text = std::string("error: ") + what();
  if (!where.empty()) text += "\n  in " + where;
  if (!todo.empty()) text += "\n  " + todo;
  return text;
}

void fail(ExitCode code, const std::string& what, const std::string& where, const std::string& todo) {
  throw Error(code, what, where, todo);
}

void broken(const char* condition, const char* file, int line) {
  throw Error(kInternal, std::string("internal error: ") + condition, std::string(file) + ":" + std::to_string(line),
              "this is a bug in purescope; please report it with the command line");
}

}  // namespace purescope
