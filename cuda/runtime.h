// What the kernels of namespace cuda need from the CUDA runtime: the stream, and launches whose errors carry the kernel's name.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

namespace purescope {

// The one stream of all launches and copies of this process, on the card that device_select chose (0 if it was not called).
cudaStream_t cuda_stream();
// Raises exit 69 (out of memory, no card) or exit 70 with CUDA's own words for anything but success.
void cuda_check(cudaError_t error, const char* what);

// What PURESCOPE_LAUNCH makes: called with the arguments of the kernel, it launches the grid. The emulator has a type of its own, under
// another name, as both are linked into one program.
template <class... Parameters>
struct CudaLauncher {
  const char* name;
  void (*kernel)(Parameters...);
  dim3 grid, threads;
  size_t shared_bytes;

  template <class... Arguments>
  void operator()(Arguments... arguments) const {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    kernel<<<grid, threads, shared_bytes, cuda_stream()>>>(static_cast<Parameters>(arguments)...);
    cuda_check(cudaGetLastError(), name);
  }
};
template <class... Parameters>
CudaLauncher(const char*, void (*)(Parameters...), dim3, dim3, size_t) -> CudaLauncher<Parameters...>;

// Dynamic shared memory of the running block.
template <class T>
__device__ T* cuda_dynamic_shared() {
  extern __shared__ double2 purescope_dynamic_shared[];
  return reinterpret_cast<T*>(purescope_dynamic_shared);
}

}  // namespace purescope
