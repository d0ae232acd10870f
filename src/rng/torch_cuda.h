// The random numbers of torch.rand, torch.randn, uniform_ and randint on a CUDA device, computed on the CPU.
//
// Rule version 1 (PyTorch 1.5 to 2.13). A call with n elements runs T = 256 min(ceil(n / 256), sm floor(threads / 256))
// threads. With u values per Philox block (4, or 2 for 64-bit results) element i is value (i / T) mod u of the block
// number offset / 4 + i / (T u) of subsequence i mod T, under the 64-bit seed as the key. The offset then grows by
// 4 (floor((n - 1) / (T u)) + 1). While n <= T every element is the first value of its own thread, whatever the card.
//
// Integers and uniforms are exact. Normals in float follow the device formula with an accurate sine where the device
// uses its fast one, so they agree with a card to about 1e-6 (5e-6 is the bar of the tests).
#pragma once
#include <cstddef>
#include <cstdint>

namespace purescope {

// What of the card matters: multiprocessors and the most threads each can hold. The default wraps for neither
// 3 x 32 x 32 nor 3 x 256 x 256 values.
struct CudaLayout {
  int sm = 132;
  int threads = 2048;
  bool operator==(const CudaLayout&) const = default;
};

// T of the rule above for a call with n elements.
uint64_t cuda_thread_count(const CudaLayout& layout, uint64_t n);

class TorchCudaGenerator {
 public:
  // After torch.manual_seed(seed); `offset` counts words drawn per thread and is a multiple of 4.
  explicit TorchCudaGenerator(uint64_t seed, CudaLayout layout = {}, uint64_t offset = 0);
  uint64_t offset() const { return offset_; }

  void rand(float* out, size_t n);                               // [0, 1)
  void uniform(float* out, size_t n, float lo, float hi);        // [lo, hi)
  void randn(float* out, size_t n);                              // even value of a pair: sine, odd: cosine
  void randn(double* out, size_t n);
  void randint(int64_t* out, size_t n, int64_t lo, int64_t hi);  // lo <= value < hi; ranges from 2^28 on use two words

 private:
  struct Piece;
  template <typename Fill>
  void for_each_piece(size_t n, int values_per_block, Fill fill);

  uint64_t seed_, offset_;
  CudaLayout layout_;
};

}  // namespace purescope
