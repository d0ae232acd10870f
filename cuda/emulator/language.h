// The words of CUDA that the kernels of cuda/ use, for a C++ compiler: the .cu sources then run on the emulated card.
#pragma once
#include "cuda/emulator/launch.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// One block at a time runs on a thread of the host, so its static shared memory is that thread's. It keeps the values of the block
// before, as on a card; dynamic shared memory starts as NaN.
#define __shared__ static thread_local

#define threadIdx (::purescope::emulator::here.thread)
#define blockIdx (::purescope::emulator::here.block)
#define blockDim (::purescope::emulator::here.threads)
#define gridDim (::purescope::emulator::here.blocks)

#define __syncthreads() ::purescope::emulator::sync_threads(__FILE__, __LINE__)
#define __syncwarp() static_cast<void>(::purescope::emulator::warp_ballot(~0u, false, __FILE__, __LINE__))
#define __shfl_sync(mask, value, source) ::purescope::emulator::warp_read(mask, value, source, __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, bits) ::purescope::emulator::warp_read(mask, value, ::purescope::emulator::lane() ^ (bits), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, delta) ::purescope::emulator::warp_read(mask, value, ::purescope::emulator::lane() + (delta), __FILE__, __LINE__)
#define __shfl_up_sync(mask, value, delta) ::purescope::emulator::warp_read(mask, value, ::purescope::emulator::lane() - (delta), __FILE__, __LINE__)
#define __ballot_sync(mask, predicate) ::purescope::emulator::warp_ballot(mask, predicate, __FILE__, __LINE__)
#define __any_sync(mask, predicate) (__ballot_sync(mask, predicate) != 0)
#define __all_sync(mask, predicate) (__ballot_sync(mask, !(predicate)) == 0)

namespace purescope {

using dim3 = emulator::Dim3;

// What PURESCOPE_LAUNCH makes: called with the arguments of the kernel, it runs the grid.
template <class... Parameters>
struct EmulatedLauncher {
  const char* name;
  void (*kernel)(Parameters...);
  dim3 grid, threads;
  size_t shared_bytes;

  template <class... Arguments>
  void operator()(Arguments... arguments) const {
    if (grid.count() == 0) return;
    auto* const entry = kernel;
    emulator::launch_grid(name, grid, threads, shared_bytes, [=] { entry(static_cast<Parameters>(arguments)...); });
  }
};

template <class... Parameters>
EmulatedLauncher(const char*, void (*)(Parameters...), dim3, dim3, size_t) -> EmulatedLauncher<Parameters...>;

// Dynamic shared memory of the running block.
template <class T>
T* emulated_dynamic_shared() {
  return reinterpret_cast<T*>(emulator::here.shared);
}

}  // namespace purescope
