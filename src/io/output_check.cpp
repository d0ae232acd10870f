#include "io/output_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>

#include "core/check.h"
#include "io/durable.h"

namespace purescope {

void require_creatable(const std::string& path) {
  const std::string folder = folder_of(path);
  struct stat info;
  int error = 0;
  if (::stat(folder.c_str(), &info) != 0 || ::access(folder.c_str(), W_OK | X_OK) != 0) error = errno;
  else if (!S_ISDIR(info.st_mode)) error = ENOTDIR;
  else if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) error = EISDIR;
  if (error) fail(kCannotCreate, "cannot create the file: " + errno_text(error), path, "check that its folder exists and can be written");
}

void check_output(const std::string& path, const std::string& flag, bool pictures, int images) {
  if (path.empty()) return;
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (ending == ".png" || ending == ".jpg" || ending == ".jpeg") {
    if (!pictures) fail(kUsage, "this output is an array, not a picture", flag + " " + path, "name it .npy");
    if (ending != ".png" || images != 1)
      fail(kUsage, "only one image can be written as a picture, and only as PNG", flag + " " + path, "write a .npy array instead");
  }
  require_creatable(path);
}

}  // namespace purescope
