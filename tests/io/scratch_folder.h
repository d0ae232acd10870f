// A folder for one test, removed at its end; and how an Error looks to a test.
#pragma once
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/check.h"

namespace purescope {

class ScratchFolder {
 public:
  // In memory (where the system offers it): for tests that open thousands of files and wait for no disk.
  explicit ScratchFolder(bool in_memory = false) {
    const bool shm = in_memory && ::access("/dev/shm", W_OK) == 0;
    std::string name =
        (shm ? std::string("/dev/shm") : std::filesystem::temp_directory_path().string()) + "/purescope-test-XXXXXX";
    if (!::mkdtemp(name.data())) fail(kCannotCreate, "cannot create a folder for the test", name, "check TMPDIR");
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void spit(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Exit code of the Error that `work` throws, 0 if none; the three-line message goes to *message.
template <typename Work>
int exit_code_of(Work work, std::string* message = nullptr) {
  try {
    work();
  } catch (const Error& error) {
    if (message) *message = error.message();
    // What, where and what to do must all be there.
    return error.where.empty() || error.todo.empty() || std::string(error.what()).empty() ? -1 : int(error.code);
  }
  return 0;
}

}  // namespace purescope
