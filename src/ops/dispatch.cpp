// One TWIN line per op: the device of the named view decides between cpu::, cuda:: and emulated::. A missing twin does not link.
#include <type_traits>

#include "core/check.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

#ifdef PURESCOPE_WITH_CUDA
#define ON_CUDA(name, arguments) return cuda::name arguments
#else
#define ON_CUDA(name, arguments) fail(kUnavailable, "built without CUDA: " #name, "", "use --device cpu or --device emulated")
#endif
namespace {

// All Views of a call that are not empty lie on one device.
template <class... Arguments>
void on_one_device(const char* op, Device device, const Arguments&... arguments) {
  auto fits = [&](const auto& argument) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(argument)>, View>) return argument.empty() || argument.device == device;
    else return true;
  };
  if (!(fits(arguments) && ...))
    fail(kInternal, std::string(op) + " was given tensors of two devices", std::string("work on ") + device_kind(device), "this is a bug in purescope; please report it");
}

}  // namespace

#define UNPACK(...) __VA_ARGS__
#define TWIN(name, parameters, arguments, view)              \
  void name parameters {                                     \
    on_one_device(#name, view.device, UNPACK arguments);     \
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
TWIN(group_norm_backward, (const GroupNorm& s, View x, View weight, View bias, View saved, View dy, View dx, View dweight, View dbias), (s, x, weight, bias, saved, dy, dx, dweight, dbias), dy)
TWIN(batch_norm_forward, (const BatchNorm& s, View x, View weight, View bias, View running_mean, View running_var, View y, View saved), (s, x, weight, bias, running_mean, running_var, y, saved), x)
TWIN(batch_norm_backward, (const BatchNorm& s, View x, View weight, View running_mean, View running_var, View saved, View dy, View dx, View dweight, View dbias), (s, x, weight, running_mean, running_var, saved, dy, dx, dweight, dbias), dy)
TWIN(silu_forward, (View x, View y), (x, y), x)
TWIN(silu_backward, (View x, View dy, View dx), (x, dy, dx), x)
TWIN(relu_forward, (View x, View y), (x, y), x)
TWIN(relu_backward, (View y, View dy, View dx), (y, dy, dx), y)
TWIN(sign_bits_forward, (View y, View bits), (y, bits), y)
TWIN(sign_bits_backward, (View bits, View dy, View dx), (bits, dy, dx), dy)
TWIN(add_forward, (View a, View b, View y), (a, b, y), a)
TWIN(copy_forward, (View x, View y), (x, y), x)
TWIN(concat_forward, (View a, View b, View y), (a, b, y), a)
TWIN(concat_backward, (View dy, View da, View db), (dy, da, db), dy)
TWIN(add_channel_forward, (View x, View v, View y), (x, v, y), x)
TWIN(add_channel_backward, (View dy, View dx, View dv), (dy, dx, dv), dy)
TWIN(scale_shift_forward, (View x, View e, View y), (x, e, y), x)
TWIN(scale_shift_backward, (View x, View e, View dy, View dx, View de), (x, e, dy, dx, de), dy)
TWIN(nin_forward, (const Linear& s, View x, View weight, View bias, View y), (s, x, weight, bias, y), y)
TWIN(nin_backward, (const Linear& s, View x, View weight, View dy, View dx, View dweight, View dbias), (s, x, weight, dy, dx, dweight, dbias), dy)
TWIN(avg_pool_forward, (View x, View y), (x, y), x)
TWIN(avg_pool_backward, (View dy, View dx), (dy, dx), dy)
TWIN(max_pool_forward, (const MaxPool& s, View x, View y, View saved), (s, x, y, saved), x)
TWIN(max_pool_backward, (const MaxPool& s, View saved, View dy, View dx), (s, saved, dy, dx), dy)
TWIN(upsample_nearest_forward, (View x, View y), (x, y), x)
TWIN(upsample_nearest_backward, (View dy, View dx), (dy, dx), dy)
TWIN(global_avg_pool_forward, (View x, View y), (x, y), x)
TWIN(global_avg_pool_backward, (View dy, View dx), (dy, dx), dy)
TWIN(attention_forward, (const Attention& s, View q, View k, View v, View y), (s, q, k, v, y), q)
TWIN(attention_backward, (const Attention& s, View q, View k, View v, View dy, View dq, View dk, View dv), (s, q, k, v, dy, dq, dk, dv), q)
TWIN(attention_packed_forward, (const Attention& s, View z, View y), (s, z, y), z)
TWIN(attention_packed_backward, (const Attention& s, View z, View dy, View dz), (s, z, dy, dz), z)
TWIN(time_embedding_forward, (const TimeEmbedding& s, View t, View y), (s, t, y), t)
TWIN(normalize_forward, (const Normalize& s, View x, View y), (s, x, y), x)
TWIN(normalize_backward, (const Normalize& s, View dy, View dx), (s, dy, dx), dy)
TWIN(subsample_pad_forward, (const SubsamplePad& s, View x, View y), (s, x, y), x)
TWIN(subsample_pad_backward, (const SubsamplePad& s, View dy, View dx), (s, dy, dx), dy)
TWIN(resize_bilinear_forward, (View x, View y), (x, y), x)
TWIN(resize_bilinear_backward, (View dy, View dx), (dy, dx), dy)
TWIN(cross_entropy_forward, (View logits, const int* labels, View loss), (logits, labels, loss), logits)
TWIN(cross_entropy_backward, (View logits, const int* labels, double scale, View dlogits), (logits, labels, scale, dlogits), logits)
TWIN(reverse_step_forward, (const ReverseStep& s, View x, View eps, View z, View y), (s, x, eps, z, y), x)
TWIN(reverse_step_backward, (const ReverseStep& s, View x, View eps, View dy, View dx, View deps), (s, x, eps, dy, dx, deps), x)
TWIN(learned_noise_forward, (const ReverseStep& s, View x, View v, View z, View y), (s, x, v, z, y), x)
TWIN(learned_noise_backward, (const ReverseStep& s, View v, View z, View dy, View dv), (s, v, z, dy, dv), v)
TWIN(affine_forward, (double a, View x, double b, View z, double c, View y), (a, x, b, z, c, y), x)
TWIN(fill_forward, (double value, View y), (value, y), y)
TWIN(clamp_forward, (double low, double high, View x, View y), (low, high, x, y), x)
TWIN(noising_forward, (const double* a, const double* b, View x, View z, View y), (a, b, x, z, y), x)
TWIN(augment_forward, (const Augmentation* how, View x, View y), (how, x, y), x)
TWIN(add_noise_forward, (const double* sigma, View z, View x), (sigma, z, x), x)
TWIN(first_maximum, (View x, int* index), (x, index), x)
TWIN(count_values, (View x, size_t* zeros, size_t* not_finite), (x, zeros, not_finite), x)
TWIN(distances, (View a, View b, double* l2, double* linf), (a, b, l2, linf), a)
TWIN(square_sums, (const View* x, int count, double* sums), (x, count, sums), x[0])
TWIN(squared_error, (View x, View target, double scale, View dx, double* sum), (x, target, scale, dx, sum), x)
TWIN(adam_update, (const Adam& s, View g, View m, View v, View p), (s, g, m, v, p), p)
TWIN(average_update, (double keep, View p, View average), (keep, p, average), p)
TWIN(linf_step, (View x0, View g, View step, View eps, View x), (x0, g, step, eps, x), x)
TWIN(l2_step, (View x0, View g, View step, View eps, View x), (x0, g, step, eps, x), x)
TWIN(linf_start, (const double* eps, View x0, View u, View x), (eps, x0, u, x), x)
TWIN(l2_start, (const double* eps, View x0, View z, View x), (eps, x0, z, x), x)
TWIN(signed_uniform_forward, (double eps, View u, View y), (eps, u, y), y)
TWIN(noise_fill_torch_cuda, (NoiseKind kind, const uint64_t* seeds, const CudaLayout& layout, View z), (kind, seeds, layout, z), z)
TWIN(noise_fill_native, (NoiseKind kind, const NativeCounter* counters, View z), (kind, counters, z), z)

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
