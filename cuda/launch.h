// What every .cu source of this folder includes. The sources are compiled twice per scalar: by nvcc into namespace cuda, and by the C++
// compiler into namespace emulated, where kernels run on the emulator (cuda/README.md). Kernels are written once.
#pragma once
#include "core/view.h"

#ifdef __CUDACC__
#include "cuda/runtime.h"
#define PURESCOPE_DEVICE_NS cuda
#define PURESCOPE_DEVICE ::purescope::Device::Cuda
#define PURESCOPE_UNROLL _Pragma("unroll")
#define PURESCOPE_ROLLED _Pragma("unroll 1")
#define PURESCOPE_LAUNCHER ::purescope::CudaLauncher
#else
#include "cuda/emulator/language.h"
#define PURESCOPE_DEVICE_NS emulated
#define PURESCOPE_DEVICE ::purescope::Device::Emulated
#define PURESCOPE_UNROLL _Pragma("GCC unroll 16")
#define PURESCOPE_ROLLED _Pragma("GCC unroll 1")
#define PURESCOPE_LAUNCHER ::purescope::EmulatedLauncher
#endif

// PURESCOPE_LAUNCH(kernel, grid, block, shared_bytes)(arguments...): the one way to run a kernel. An empty grid is not launched.
#define PURESCOPE_LAUNCH(kernel, grid, block, shared_bytes) PURESCOPE_LAUNCHER{#kernel, kernel, grid, block, shared_bytes}

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace PURESCOPE_DEVICE_NS {

constexpr int kThreads = 256;  // per block, where nothing asks for another number

// Blocks of kThreads that cover `count` elements.
inline dim3 blocks_of(size_t count) { return dim3(static_cast<unsigned>((count + kThreads - 1) / kThreads)); }

// Index of the running thread in a grid of blocks_of(count).
__device__ inline size_t element() { return static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// Dynamic shared memory of the running block.
template <class T>
__device__ T* dynamic_shared() {
#ifdef __CUDACC__
  return cuda_dynamic_shared<T>();
#else
  return emulated_dynamic_shared<T>();
#endif
}

// Device memory for intermediate results of the calling host thread, at least `count` values, undefined content; `slot` (0..3)
// separates what is in use at the same time. Grows on first use, which fails while a graph is recorded, and is never given back, as a
// recorded graph may hold its address.
template <class T>
T* workspace(size_t count, int slot) {
  struct Space { void* data = nullptr; size_t bytes = 0; };
  thread_local Space spaces[4];
  Space& s = spaces[slot];
  if (s.bytes < count * sizeof(T)) {
    s.data = device_allocate(PURESCOPE_DEVICE, count * sizeof(T));
    s.bytes = count * sizeof(T);
  }
  return static_cast<T*>(s.data);
}

}  // namespace PURESCOPE_DEVICE_NS
}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
