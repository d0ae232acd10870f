#include "diffusion/noise_source.h"

#include "core/check.h"
#include "core/parallel.h"
#include "io/safetensors.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

namespace {

// The streams that a device can compute itself.
void fill_there(const NoiseStream& stream, Purpose purpose, const std::function<NoiseKey(int n)>& key, View out) {
  const NoiseKind kind = is_normal(purpose) ? NoiseKind::Normal : NoiseKind::Uniform;
  std::vector<uint64_t> seeds;
  std::vector<NativeCounter> counters;
  for (int n = 0; n < out.n; ++n) {
    const DrawKey from = stream.draw_key(purpose, key(n), out.image_size());
    seeds.push_back(from.torch);
    counters.push_back(from.native);
  }
  if (stream.mode().rng == NoiseRng::Native) noise_fill_native(kind, counters.data(), out);
  else noise_fill_torch_cuda(kind, seeds.data(), stream.mode().layout, out);
}

}  // namespace

void fill_draws(const NoiseStream& stream, Purpose purpose, const std::function<NoiseKey(int n)>& key, View out) {
  if (out.device != Device::Cpu && stream.mode().rng != NoiseRng::TorchCpu) return fill_there(stream, purpose, key, out);
  const Mirror host(out, Device::Cpu, Mirror::Load::No);
  parallel_for(out.n, [&](int n) {
    std::vector<float> values(out.image_size());
    stream.draw(purpose, key(n), values.data(), values.size());
    std::copy(values.begin(), values.end(), host.view().image(n));
  });
  host.store();
}

void KeyedNoise::fill(Phase phase, int t, View out) const {
  PURESCOPE_REQUIRE(out.n <= static_cast<int>(images_.size()));
  fill_draws(stream_, Purpose::Noise, [&](int n) { return NoiseKey{seed_, images_[n], draw_, phase, t + t_base_}; }, out);
}

struct FileNoise::Tensors {
  explicit Tensors(const std::string& path) : file(path) {}
  Safetensors file;
  // Copies block `index` of the named tensor, whose trailing shape must be that of `out`.
  void read(const std::string& name, int index, bool blocks, View out) const {
    const TensorInfo* info = file.find(name);
    const std::vector<int64_t> image = {out.n, out.c, out.h, out.w};
    const std::string text = shape_text(image), wanted =
        blocks ? "[k, " + text.substr(1) + ", one entry per step; step " + std::to_string(index + 1) + " reads the next" : text;
    if (!info) fail(kBadInput, "the noise file has no tensor " + name, file.path(), "this purification needs one of shape " + wanted);
    std::vector<int64_t> tail = image;
    if (blocks) tail.insert(tail.begin(), info->shape.empty() ? 0 : info->shape[0]);
    if (info->shape != tail || (blocks && info->shape[0] <= index))
      fail(kBadInput, name + " does not fit: shape " + shape_text(info->shape), file.path(), "this purification needs shape " + wanted);
    const size_t skipped = blocks ? index * out.size() * (dtype_bits(info->dtype) / 8) : 0;
    const Mirror host(out, Device::Cpu, Mirror::Load::No);
    convert(info->dtype, static_cast<const char*>(file.data(*info)) + skipped, out.size(), host.data(), file.path());
    host.store();
  }
};

FileNoise::FileNoise(const std::string& path) : tensors_(std::make_unique<Tensors>(path)) {}
FileNoise::~FileNoise() = default;

void FileNoise::forward(ForwardKind kind, int t, View out) { tensors_->read("noise.forward", t, kind == ForwardKind::Steps, out); }

void FileNoise::reverse(int order, int, View out) { tensors_->read("noise.reverse", order, true, out); }

RecordedNoise::Draw RecordedNoise::copy(View v) {
  const Mirror host(v);
  return {v, std::vector<float>(host.data(), host.data() + v.size())};
}

void RecordedNoise::forward(ForwardKind kind, int t, View out) {
  source_.forward(kind, t, out);
  steps_ = kind == ForwardKind::Steps;
  forward_.push_back(copy(out));
}

void RecordedNoise::reverse(int order, int t, View out) {
  source_.reverse(order, t, out);
  reverse_.push_back(copy(out));
}

void RecordedNoise::write(const std::string& path) const {
  std::vector<TensorOut> tensors;
  std::vector<float> forward, reverse;
  auto shape = [](const View& v) { return std::vector<int64_t>{v.n, v.c, v.h, v.w}; };
  for (const Draw& d : forward_) forward.insert(forward.end(), d.values.begin(), d.values.end());
  for (const Draw& d : reverse_) reverse.insert(reverse.end(), d.values.begin(), d.values.end());
  if (!forward_.empty()) {
    std::vector<int64_t> s = shape(forward_[0].shape);
    if (steps_) s.insert(s.begin(), forward_.size());
    tensors.push_back({"noise.forward", Dtype::F32, s, forward.data()});
  }
  if (!reverse_.empty()) {
    std::vector<int64_t> s = shape(reverse_[0].shape);
    s.insert(s.begin(), reverse_.size());
    tensors.push_back({"noise.reverse", Dtype::F32, s, reverse.data()});
  }
  write_safetensors(path, tensors, {});
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
