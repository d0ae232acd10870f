#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/bundled.h"
#include "cli/load.h"
#include "core/check.h"
#include "io/fraction.h"
#include "io/image.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

size_t count_nonfinite_values(View v) {
  size_t bad = 0;
  for (size_t i = 0; i < v.size(); ++i) bad += !std::isfinite(v.data[i]);
  return bad;
}

// A warning, or exit 65 with --strict.
void report_nonfinite(size_t bad, const std::string& name, const std::string& where, const CommonOptions& common) {
  if (!bad) return;
  const std::string what = name + " holds " + std::to_string(bad) + " NaN or infinite value" + (bad > 1 ? "s" : "");
  if (common.strict) fail(kBadInput, what, where, "--strict refuses such values; use a sound file");
  std::fprintf(stderr, "warning: %s\n  in %s\n", what.c_str(), where.c_str());
}

// A file's own name of its architecture, or exit 65.
std::string arch_of_file(const Safetensors& file, const NetworkChoice& choice) {
  const auto arch = file.metadata().find("arch");
  if (arch == file.metadata().end())
    fail(kBadInput, "the weights do not name their architecture", file.path(),
         "add " + choice.arch_flag + " ARCH, for example " + choice.arch_flag + " ddpm-cifar10");
  return arch->second;
}

void refuse_wide_types(const Safetensors& file) {
  for (const TensorInfo& t : file.tensors())
    if (sizeof(real) == sizeof(float) && t.dtype == Dtype::F64)
      fail(kBadInput, printable(t.name) + " has type F64 where F32 is expected", file.path(),
           "use --real f64, which reads it exactly, or `purescope convert --dtype f32`");
}

std::string shape_wanted(const ValueInfo& v) {
  return "[n, " + std::to_string(v.c) + ", " + std::to_string(v.h) + ", " + std::to_string(v.w) + "]";
}

Buffer read_picture(const std::string& path, const ValueInfo& want) {
  const Image image = read_image(path);
  if (image.width != want.w || image.height != want.h || want.c != 3)
    fail(kBadInput,
         "the picture is " + std::to_string(image.width) + " x " + std::to_string(image.height) +
             ", the network takes " + std::to_string(want.w) + " x " + std::to_string(want.h),
         path, "resize the picture, or choose a network of its size");
  Buffer buffer(1, 3, want.h, want.w, Device::Cpu);
  const size_t plane = static_cast<size_t>(want.h) * want.w;
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < 3; ++c) buffer.data()[c * plane + i] = static_cast<float>(image.rgb[3 * i + c]) / 255.0f;
  return buffer;
}

std::string lower_ending(const std::string& path) {
  const size_t dot = path.rfind('.');
  std::string ending = dot == path.npos ? "" : path.substr(dot + 1);
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char ch) { return std::tolower(ch); });
  return ending;
}

}  // namespace

LoadedNet load_network(const NetworkChoice& choice, const CommonOptions& common) {
  LoadedNet net;
  if (choice.weights.empty())
    fail(kUsage, choice.weights_flag + " is missing", "the command line",
         "give a .safetensors file, a bundled name, or `formula`");
  if (choice.weights == "formula") {
    if (choice.arch.empty())
      fail(kUsage, choice.weights_flag + " formula without " + choice.arch_flag, "the command line",
           "add " + choice.arch_flag + " ARCH");
    net.model = make_model(choice.arch);
    net.params = std::make_shared<Params>(net.model);
    net.path = "formula";
    fill_by_formula(*net.params, net.model);
    net.params->freeze();
    return net;
  }
  net.path = find_weights(choice.weights, choice.weights_flag);
  {
    const Safetensors file(net.path);
    net.model = make_model(choice.arch.empty() ? arch_of_file(file, choice) : choice.arch);
    refuse_wide_types(file);
  }
  net.params = Params::load(net.model, net.path);
  for (int i = 0; i < net.params->count(); ++i)
    report_nonfinite(count_nonfinite_values(Mirror(net.params->view(i)).view()), "weights: " + net.model.params[i].key, net.path,
                     common);
  if (common.verbose && !common.quiet)
    std::fprintf(stderr, "weights %s: %s, sha256 of the values %s\n", net.path.c_str(), net.model.arch.c_str(), net.params->sha256().c_str());
  return net;
}

LoadedNet load_purifier(const NetworkChoice& choice, const CommonOptions& common) {
  LoadedNet net = load_network(choice, common);
  if (!is_purifier(net.model))
    fail(kUsage, "the network is a classifier, not a purifier",
         choice.weights_flag + " " + choice.weights + " (" + net.model.arch + ")",
         "name a diffusion network, such as ddpm-cifar10");
  return net;
}

LoadedNet load_classifier(const NetworkChoice& choice, const CommonOptions& common) {
  LoadedNet net = load_network(choice, common);
  if (is_purifier(net.model))
    fail(kUsage, "the network is a purifier, not a classifier",
         choice.weights_flag + " " + choice.weights + " (" + net.model.arch + ")",
         "name a classifier, such as cifar-resnet-20");
  return net;
}

int trained_range(const LoadedNet& purifier) {
  const auto limit = purifier.params->metadata().find("t_max");
  if (limit == purifier.params->metadata().end()) return 1000;
  return static_cast<int>(parse_int(limit->second, purifier.path + ", metadata t_max", 1, 1000));
}

void check_t_max(const LoadedNet& purifier, int t, bool force) {
  const int t_max = trained_range(purifier);
  if (t <= t_max) return;
  if (!force)
    fail(kBadInput,
         "t* = " + std::to_string(t) + " is beyond what the purifier was trained for: t_max = " + std::to_string(t_max),
         purifier.path, "use --t " + std::to_string(t_max) + " or less, or --force");
  std::fprintf(stderr, "warning: t* = %d is beyond the purifier's t_max = %d (forced)\n", t, t_max);
}

bool is_picture(const std::string& path) {
  const std::string ending = lower_ending(path);
  return ending == "png" || ending == "jpg" || ending == "jpeg";
}

Buffer read_images(const std::string& spec, const ValueInfo& want, const std::string& flag, const CommonOptions& common,
                   bool pictures) {
  if (spec.empty()) fail(kUsage, flag + " is missing", "the command line", "give x.npy or FILE.safetensors:TENSOR");
  if (pictures && is_picture(spec)) return read_picture(spec, want);
  const Array array = read_array(spec);
  std::vector<int64_t> shape = array.shape;
  if (want.h == 1 && want.w == 1 && shape.size() == 2) shape.insert(shape.end(), 2, 1);
  const bool fits = shape.size() == 4 && shape[0] >= 1 && shape[0] <= (1 << 24) && shape[1] == want.c &&
                    shape[2] == want.h && shape[3] == want.w;
  if (!fits)
    fail(kBadInput, flag + " has shape " + shape_text(array.shape) + ", expected " + shape_wanted(want), spec,
         "give an array of that shape, or a network of the array's size");
  if (array.dtype != Dtype::F32 && array.dtype != Dtype::F64)
    fail(kBadInput, flag + " has type " + dtype_name(array.dtype) + ", expected F32 or F64", spec,
         "store the values as float32 or float64");
  Buffer buffer(static_cast<int>(shape[0]), want.c, want.h, want.w, Device::Cpu);
  const std::vector<double> values = array.as_double();
  for (size_t i = 0; i < values.size(); ++i) buffer.data()[i] = static_cast<real>(values[i]);
  report_nonfinite(count_nonfinite_values(buffer.view()), flag, spec, common);
  return buffer;
}

std::vector<int> read_labels(const std::string& text, int count, int classes) {
  std::vector<int64_t> values;
  if (text.ends_with(".npy") || text.find(".safetensors:") != text.npos)
    values = read_array(text).as_int();
  else
    values = parse_int_list(text, "--labels", 0, classes - 1);
  if (static_cast<int>(values.size()) != count)
    fail(kBadInput, std::to_string(values.size()) + " labels for " + std::to_string(count) + " images",
         "--labels " + printable(text), "give one label per image");
  for (int64_t v : values)
    if (v < 0 || v >= classes)
      fail(kBadInput, "label " + std::to_string(v) + " is not a class of the network", "--labels " + printable(text),
           "classes are 0 to " + std::to_string(classes - 1));
  return {values.begin(), values.end()};
}

void write_array(const std::string& path, View v) {
  std::vector<int64_t> shape = {v.n, v.c};
  if (v.h != 1 || v.w != 1) shape.insert(shape.end(), {v.h, v.w});
  write_npy(path, shape, Mirror(v).data());
}

void write_images(const std::string& path, View v) {
  if (!is_picture(path)) return write_array(path, v);
  if (lower_ending(path) != "png" || v.n != 1 || v.c != 3)
    fail(kUsage, "only one image of three channels can be written as a picture, and only as PNG", path,
         "write a .npy array instead");
  const Mirror host(v);
  Image image{v.w, v.h, std::vector<unsigned char>(v.size())};
  const size_t plane = static_cast<size_t>(v.h) * v.w;
  for (size_t i = 0; i < plane; ++i)
    for (size_t c = 0; c < 3; ++c) {
      const double value = host.data()[c * plane + i];
      image.rgb[3 * i + c] = static_cast<unsigned char>(std::floor(255 * (value > 0 ? std::min(value, 1.0) : 0) + 0.5));
    }
  write_png(path, image);
}

void affine_in_place(double a, double c, View v) {
  for (size_t i = 0; i < v.size(); ++i) v.data[i] = static_cast<real>(a * v.data[i] + c);
}

MemoryPlan memory_plan(const std::string& memory, const Model& unet, int batch, int steps) {
  if (memory == "auto") return {};
  if (memory == "min") return {true, 0};
  if (memory == "max") return {false, steps};
  const uint64_t arena = make_plan(unet, batch, Mode::InputGrad, false).arena * sizeof(real);
  const uint64_t fit = parse_size(memory, "--memory") / arena;
  return fit == 0 ? MemoryPlan{true, 0} : MemoryPlan{false, static_cast<int>(std::min<uint64_t>(fit - 1, steps))};
}

size_t apply_memory(const std::string& memory, Net* unet, Net& base, Net& behind, int batch, int steps) {
  if (!unet) return 0;
  const MemoryPlan plan = memory_plan(memory, unet->model(), batch, steps);
  for (Net* net : {unet, &base, &behind}) net->set_lean(plan.lean);
  return plan.kept_steps ? plan.kept_steps * make_plan(unet->model(), batch, Mode::InputGrad, false).arena : 0;
}

void NoisePart::forward(ForwardKind kind, int t, View out) {
  Buffer all(total_, out.c, out.h, out.w, out.device);
  whole_.forward(kind, t, all.view());
  copy_forward(all.view().images(first_, out.n), out);
}

void NoisePart::reverse(int order, int t, View out) {
  Buffer all(total_, out.c, out.h, out.w, out.device);
  whole_.reverse(order, t, all.view());
  copy_forward(all.view().images(first_, out.n), out);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
