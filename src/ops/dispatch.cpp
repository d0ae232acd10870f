// One TWIN line per op: the device of the named view decides between cpu::, cuda:: and emulated::. A missing twin does not link.
#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

#ifdef PURESCOPE_WITH_CUDA
#define ON_CUDA(name, arguments) return cuda::name arguments
#else
#define ON_CUDA(name, arguments) fail(kUnavailable, "built without CUDA: " #name, "", "use --device cpu or --device emulated")
#endif
#define TWIN(name, parameters, arguments, view)              \
  void name parameters {                                     \
    switch (view.device) {                                   \
      case Device::Cpu: return cpu::name arguments;          \
      case Device::Cuda: ON_CUDA(name, arguments);           \
      case Device::Emulated: return emulated::name arguments; \
    }                                                        \
  }

TWIN(conv2d_forward, (const Conv2d& s, View x, View weight, View bias, View y), (s, x, weight, bias, y), y)
TWIN(conv2d_backward, (const Conv2d& s, View x, View weight, View dy, View dx, View dweight, View dbias), (s, x, weight, dy, dx, dweight, dbias), dy)
TWIN(linear_forward, (const Linear& s, View x, View weight, View bias, View y), (s, x, weight, bias, y), y)
TWIN(linear_backward, (const Linear& s, View x, View weight, View dy, View dx, View dweight, View dbias), (s, x, weight, dy, dx, dweight, dbias), dy)
TWIN(group_norm_forward, (const GroupNorm& s, View x, View weight, View bias, View y, View saved), (s, x, weight, bias, y, saved), x)
TWIN(group_norm_backward, (const GroupNorm& s, View x, View weight, View saved, View dy, View dx, View dweight, View dbias), (s, x, weight, saved, dy, dx, dweight, dbias), dy)
TWIN(batch_norm_forward, (const BatchNorm& s, View x, View weight, View bias, View running_mean, View running_var, View y, View saved), (s, x, weight, bias, running_mean, running_var, y, saved), x)
TWIN(batch_norm_backward, (const BatchNorm& s, View x, View weight, View running_mean, View running_var, View saved, View dy, View dx, View dweight, View dbias), (s, x, weight, running_mean, running_var, saved, dy, dx, dweight, dbias), dy)
TWIN(silu_forward, (View x, View y), (x, y), x)
TWIN(silu_backward, (View x, View dy, View dx), (x, dy, dx), x)
TWIN(relu_forward, (View x, View y), (x, y), x)
TWIN(relu_backward, (View y, View dy, View dx), (y, dy, dx), y)
TWIN(add_forward, (View a, View b, View y), (a, b, y), a)
TWIN(copy_forward, (View x, View y), (x, y), x)
TWIN(concat_forward, (View a, View b, View y), (a, b, y), a)
TWIN(concat_backward, (View dy, View da, View db), (dy, da, db), dy)
TWIN(add_channel_forward, (View x, View v, View y), (x, v, y), x)
TWIN(add_channel_backward, (View dy, View dx, View dv), (dy, dx, dv), dy)
TWIN(upsample_nearest_forward, (View x, View y), (x, y), x)
TWIN(upsample_nearest_backward, (View dy, View dx), (dy, dx), dy)
TWIN(global_avg_pool_forward, (View x, View y), (x, y), x)
TWIN(global_avg_pool_backward, (View dy, View dx), (dy, dx), dy)
TWIN(attention_forward, (const Attention& s, View q, View k, View v, View y), (s, q, k, v, y), q)
TWIN(attention_backward, (const Attention& s, View q, View k, View v, View dy, View dq, View dk, View dv), (s, q, k, v, dy, dq, dk, dv), q)
TWIN(time_embedding_forward, (const TimeEmbedding& s, View t, View y), (s, t, y), t)
TWIN(normalize_forward, (const Normalize& s, View x, View y), (s, x, y), x)
TWIN(normalize_backward, (const Normalize& s, View dy, View dx), (s, dy, dx), dy)
TWIN(subsample_pad_forward, (const SubsamplePad& s, View x, View y), (s, x, y), x)
TWIN(subsample_pad_backward, (const SubsamplePad& s, View dy, View dx), (s, dy, dx), dy)
TWIN(cross_entropy_forward, (View logits, const int* labels, View loss), (logits, labels, loss), logits)
TWIN(cross_entropy_backward, (View logits, const int* labels, double scale, View dlogits), (logits, labels, scale, dlogits), logits)
TWIN(reverse_step_forward, (const ReverseStep& s, View x, View eps, View z, View y), (s, x, eps, z, y), x)
TWIN(reverse_step_backward, (const ReverseStep& s, View x, View eps, View dy, View dx, View deps), (s, x, eps, dy, dx, deps), x)
TWIN(affine_forward, (double a, View x, double b, View z, double c, View y), (a, x, b, z, c, y), x)
TWIN(linf_step, (View x0, View g, View step, View eps, View x), (x0, g, step, eps, x), x)
TWIN(l2_step, (View x0, View g, View step, View eps, View x), (x0, g, step, eps, x), x)
TWIN(noise_fill_torch_cuda, (NoiseKind kind, const uint64_t* seeds, const CudaLayout& layout, View z), (kind, seeds, layout, z), z)
TWIN(noise_fill_native, (NoiseKind kind, const NativeCounter* counters, View z), (kind, counters, z), z)

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
