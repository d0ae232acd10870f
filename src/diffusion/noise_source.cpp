#include "diffusion/noise_source.h"

#include "core/check.h"
#include "core/parallel.h"
#include "io/safetensors.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void KeyedNoise::fill(Phase phase, int t, View out) const {
  PURESCOPE_REQUIRE(out.n <= static_cast<int>(images_.size()));
  parallel_for(out.n, [&](int n) {
    std::vector<float> values(out.image_size());
    stream_.normal({seed_, images_[n], draw_, phase, t + t_base_}, values.data(), values.size());
    std::copy(values.begin(), values.end(), out.image(n));
  });
}

struct FileNoise::Tensors {
  explicit Tensors(const std::string& path) : file(path) {}
  Safetensors file;
  // Copies block `index` of the named tensor, whose trailing shape must be that of `out`.
  void read(const std::string& name, int index, bool blocks, View out) const {
    const TensorInfo* info = file.find(name);
    const std::string wanted = (blocks ? "[" + std::to_string(index + 1) + " or more," : "[") + std::to_string(out.n) + "," +
                               std::to_string(out.c) + "," + std::to_string(out.h) + "," + std::to_string(out.w) + "]";
    std::vector<int64_t> tail = {out.n, out.c, out.h, out.w};
    if (!info) fail(kBadInput, "the noise file has no tensor " + name, file.path(), "this purification needs one of shape " + wanted);
    if (blocks) tail.insert(tail.begin(), info->shape.empty() ? 0 : info->shape[0]);
    if (info->shape != tail || (blocks && info->shape[0] <= index))
      fail(kBadInput, name + " does not fit", file.path(), "this purification needs shape " + wanted);
    const size_t skipped = blocks ? index * out.size() * (dtype_bits(info->dtype) / 8) : 0;
    convert(info->dtype, static_cast<const char*>(file.data(*info)) + skipped, out.size(), out.data, file.path());
  }
};

FileNoise::FileNoise(const std::string& path) : tensors_(std::make_unique<Tensors>(path)) {}
FileNoise::~FileNoise() = default;

void FileNoise::forward(ForwardKind kind, int t, View out) { tensors_->read("noise.forward", t, kind == ForwardKind::Steps, out); }

void FileNoise::reverse(int order, int, View out) { tensors_->read("noise.reverse", order, true, out); }

RecordedNoise::Draw RecordedNoise::copy(View v) { return {v, std::vector<float>(v.data, v.data + v.size())}; }

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
