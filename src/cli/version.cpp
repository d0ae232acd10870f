#include "cli/shared_flags.h"
#include "core/device.h"
#include "io/image.h"
#include "io/json_text.h"
#include "io/signals.h"

namespace purescope {

void print_version(bool json) {
  std::vector<std::string> devices = {"cpu", "emulated"};
  if (device_available(Device::Cuda)) devices.push_back("cuda");
#if defined(PURESCOPE_DEBUG)
  const char* build = "debug";
#else
  const char* build = "release";
#endif
  const std::string compiler = "gcc " __VERSION__;
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
                  .add("build", build)
                  .add("compiler", compiler)
                  .raw("real", json_array({json_quote("f32"), json_quote("f64")}))
                  .raw("math", json_array({json_quote("exact"), json_quote("fast")}))
                  .raw("devices", json_array(quoted))
                  .add("images", image_decoder_names())
                  .text() +
              "\n");
    return;
  }
  print_out("purescope " PURESCOPE_VERSION "\nbuild    " + std::string(build) + ", " + compiler +
            "\nreal     f32, f64\nmath     exact, fast\ndevices  " + list + "\nimages   " + image_decoder_names() + "\n");
}

}  // namespace purescope
