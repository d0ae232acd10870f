#include <purescope_commit.h>

#include "cli/commands.h"
#include "cli/shared_flags.h"
#include "core/device.h"
#include "io/image.h"
#include "io/json_text.h"
#include "io/signals.h"

namespace purescope {
namespace {

#if defined(PURESCOPE_DEBUG)
const char* const kBuild = "debug";
#else
const char* const kBuild = "release";
#endif
const std::string kCompiler = "gcc " __VERSION__;

}  // namespace

std::string program_version() {
  return PURESCOPE_VERSION " (commit " PURESCOPE_COMMIT ", " + std::string(kBuild) + ", " + kCompiler + ", " + f32::blas_name() + ")";
}

void print_version(bool json) {
  std::vector<std::string> devices = {"cpu", "emulated"};
  if (device_available(Device::Cuda)) devices.push_back("cuda");
  std::vector<std::string> quoted;
  std::string list;
  for (const std::string& d : devices) {
    quoted.push_back(json_quote(d));
    list += (list.empty() ? "" : ", ") + d;
  }
  if (json) {
    print_out(JsonLine()
                  .add("program", "purescope")
                  .add("version", PURESCOPE_VERSION)
                  .add("commit", PURESCOPE_COMMIT)
                  .add("build", kBuild)
                  .add("compiler", kCompiler)
                  .add("blas", f32::blas_name())
                  .raw("real", json_array({json_quote("f32"), json_quote("f64")}))
                  .raw("math", json_array({json_quote("exact"), json_quote("fast")}))
                  .raw("devices", json_array(quoted))
                  .add("images", image_decoder_names())
                  .text() +
              "\n");
    return;
  }
  print_out("purescope " PURESCOPE_VERSION "\ncommit   " PURESCOPE_COMMIT "\nbuild    " + std::string(kBuild) + ", " + kCompiler + "\nblas     " +
            f32::blas_name() + "\nreal     f32, f64\nmath     exact, fast\ndevices  " + list + "\nimages   " + image_decoder_names() + "\n");
}

}  // namespace purescope
