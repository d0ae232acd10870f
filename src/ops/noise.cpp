// The noise streams of src/rng as ops, image by image: each image has a key of its own, so nothing depends on the batch.
#include <type_traits>
#include <vector>

#include "core/parallel.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// Calls draw(n, values) for every image; the values are float32 in every build and widened here.
template <class Draw>
void fill_images(View z, const Draw& draw) {
  parallel_for(z.n, [&](int n) {
    if constexpr (std::is_same_v<real, float>) {
      draw(n, z.image(n));
    } else {
      std::vector<float> values(z.image_size());
      draw(n, values.data());
      for (size_t i = 0; i < values.size(); ++i) z.image(n)[i] = values[i];
    }
  });
}

}  // namespace

namespace cpu {

void noise_fill_torch_cuda(NoiseKind kind, const uint64_t* seeds, const CudaLayout& layout, View z) {
  fill_images(z, [&](int n, float* values) {
    TorchCudaGenerator generator(seeds[n], layout);
    kind == NoiseKind::Uniform ? generator.rand(values, z.image_size()) : generator.randn(values, z.image_size());
  });
}

void noise_fill_native(NoiseKind kind, const NativeCounter* counters, View z) {
  fill_images(z, [&](int n, float* values) {
    kind == NoiseKind::Uniform ? native_uniform(counters[n], values, z.image_size()) : native_normal(counters[n], values, z.image_size());
  });
}

}  // namespace cpu
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
