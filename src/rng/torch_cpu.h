// The random numbers of PyTorch's CPU generator, bit for bit (measured against PyTorch 1.13.1 built with GCC 12.2).
// Other builds of the same kernels may differ by 3e-7 in normals, because compilers fuse other multiply-adds.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

namespace purescope {

// PyTorch has two versions of some loops and picks by CPU: Avx2 (also on AVX-512 machines) and Default.
enum class TorchKernels { Avx2, Default };

// A generator after torch.manual_seed(seed). Only the low 32 bits of the seed matter, as in PyTorch. Every call is one
// call of the PyTorch function on a contiguous tensor of n elements and moves the state exactly as that does.
class TorchCpuGenerator {
 public:
  explicit TorchCpuGenerator(uint64_t seed, TorchKernels kernels = TorchKernels::Avx2);

  uint32_t word() { return static_cast<uint32_t>(engine_()); }  // the next 32 bits (mt19937)
  uint64_t double_word();                                       // two words, the first is the high half

  void rand(float* out, size_t n);   // torch.rand: [0, 1), 24 bits each
  void rand(double* out, size_t n);  // [0, 1), 53 bits each
  // Tensor.uniform_(lo, hi): x (hi - lo) + lo, in one rounding with the Avx2 kernels and in two with Default.
  void uniform(float* out, size_t n, float lo, float hi);
  void uniform(double* out, size_t n, double lo, double hi);
  // torch.rand(n) * (hi - lo) + lo as separate operations (the random start of foolbox): always two roundings.
  void rand_scaled(float* out, size_t n, double lo, double hi);

  // Tensor.normal_(mean, std). n >= 16: Box-Muller on groups of 16; n < 16: one by one in double, where the second
  // value of a pair waits in the generator for the next short call.
  void normal(float* out, size_t n, double mean, double std);
  void normal(double* out, size_t n, double mean, double std);
  void randn(float* out, size_t n) { normal(out, n, 0.0, 1.0); }  // torch.randn
  void randn(double* out, size_t n) { normal(out, n, 0.0, 1.0); }

  void randint(int64_t* out, size_t n, int64_t lo, int64_t hi);  // torch.randint: lo <= value < hi; lo < hi required
  void randperm(int64_t* out, size_t n);                         // torch.randperm, n < 2^32
  void bernoulli(uint8_t* out, size_t n, double p);              // Tensor.bernoulli_(p): 1 where a 53-bit uniform < p

 private:
  float unit_float() { return static_cast<float>(word() & 0xffffffu) * 0x1p-24f; }
  double unit_double() { return static_cast<double>(double_word() & 0x1fffffffffffffull) * 0x1p-53; }
  double scalar_normal();

  std::mt19937 engine_;  // the classic initialisation, the same words as PyTorch's own engine
  std::optional<double> waiting_;
  TorchKernels kernels_;
};

}  // namespace purescope
