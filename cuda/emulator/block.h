// One block of threads: each thread is a fiber, run one after the other until it waits or ends. What a kernel may call while it runs.
#pragma once
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>

namespace purescope::emulator {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr Dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr size_t count() const { return static_cast<size_t>(x) * y * z; }
  constexpr bool operator==(const Dim3&) const = default;
};

// Where the running thread is; the kernel sees the fields as threadIdx, blockIdx, blockDim and gridDim.
struct Here {
  Dim3 thread{0, 0, 0}, block{0, 0, 0}, threads, blocks;
  unsigned rank = 0;             // of the thread in its block
  unsigned char* shared = nullptr;  // dynamic shared memory of the block
  const char* kernel = "";
};
extern thread_local constinit Here here;

// "gemm_kernel block (1,0,0) thread (5,0,0)": for messages and for gdb.
std::string where();

// The order in which blocks, and threads between two barriers, are run. A correct kernel gives the same bits in any order.
struct Order {
  enum Kind : unsigned char { Forward, Reverse, Shuffled } kind = Forward;
  unsigned seed = 0;
};

// Runs body() once per thread of the block here.block. Exit 70 with file and line if a barrier can never be passed: some threads have
// ended, or wait elsewhere.
void run_block(const std::function<void()>& body, size_t shared_bytes, const Order& order);

// __syncthreads, at a line of the kernel.
void sync_threads(const char* file, int line);

constexpr unsigned kWarp = 32;
constexpr size_t kWarpValue = 16;  // largest value that can be exchanged, in bytes

// All lanes of `mask` meet; each gives `bytes` of `value`. Returns the 32 values given, kWarpValue apart, valid until the next call.
const unsigned char* warp_exchange(unsigned mask, const void* value, size_t bytes, const char* file, int line);

inline unsigned lane() { return here.rank % kWarp; }

// The value of lane `source` (own value if that lane is not in the mask's warp).
template <class T>
T warp_read(unsigned mask, T value, unsigned source, const char* file, int line) {
  static_assert(sizeof(T) <= kWarpValue);
  const unsigned char* values = warp_exchange(mask, &value, sizeof(T), file, line);
  if (source >= kWarp || (mask >> source & 1) == 0) return value;
  T result;
  std::memcpy(&result, values + source * kWarpValue, sizeof(T));
  return result;
}

// Bit k: whether lane k gave a true predicate.
inline unsigned warp_ballot(unsigned mask, bool predicate, const char* file, int line) {
  const unsigned char* values = warp_exchange(mask, &predicate, sizeof predicate, file, line);
  unsigned bits = 0;
  for (unsigned k = 0; k < kWarp; ++k)
    if ((mask >> k & 1) != 0 && values[k * kWarpValue] != 0) bits |= 1u << k;
  return bits;
}

}  // namespace purescope::emulator
