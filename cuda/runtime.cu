// The CUDA card behind core/device.h: one stream, memory from cudaMalloc, graphs recorded from the stream.
#include "cuda/runtime.h"

#include "core/check.h"
#include "core/device.h"

#include <map>
#include <mutex>
#include <string>

namespace purescope {

namespace {

// What a DeviceGraph points to; the emulated device has another type of its own.
struct Record {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
};
Record* record_of(DeviceGraph* graph) { return reinterpret_cast<Record*>(graph); }

std::mutex mutex;
std::map<void*, size_t> sizes;
size_t total = 0;
int selected = 0;
cudaStream_t the_stream = nullptr;

bool available(std::string* why) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return true;
  if (why != nullptr) *why = error == cudaSuccess ? "no CUDA card is present" : cudaGetErrorString(error);
  return false;
}

void select(int ordinal) {
  std::string why;
  if (!available(&why))
    fail(kUnavailable, "no CUDA device can be used: " + why, "--device cuda", "use --device cpu or --device emulated");
  int count = 0;
  cuda_check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  if (ordinal >= count)
    fail(kUnavailable, "there is no card number " + std::to_string(ordinal) + ", only " + std::to_string(count), "--device cuda",
         "choose one of cuda:0 to cuda:" + std::to_string(count - 1));
  const std::lock_guard lock(mutex);
  if (the_stream != nullptr && ordinal != selected)
    fail(kInternal, "another card was chosen after the first was used", "--device cuda",
         "choose the card once, before anything is allocated");
  selected = ordinal;
  cuda_check(cudaSetDevice(ordinal), "cudaSetDevice");
}

std::string name() {
  cudaDeviceProp p;
  int runtime = 0;
  cuda_check(cudaGetDeviceProperties(&p, selected), "cudaGetDeviceProperties");
  cuda_check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  return std::string(p.name) + " (cuda:" + std::to_string(selected) + ", sm_" + std::to_string(p.major) +
         std::to_string(p.minor) + ", " + std::to_string(p.multiProcessorCount) + " multiprocessors, CUDA " +
         std::to_string(runtime / 1000) + "." + std::to_string(runtime % 1000 / 10) + ")";
}

void* allocate(size_t bytes) {
  cuda_stream();
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes == 0 ? 1 : bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // an allocation that failed is not an error of the next kernel
    fail(kUnavailable, "out of memory on the CUDA device: cannot allocate " + std::to_string(bytes >> 20) + " MiB", name(),
         "use a smaller --batch, or --memory min");
  }
  cuda_check(error, "cudaMalloc");
  const std::lock_guard lock(mutex);
  sizes[data] = bytes;
  total += bytes;
  return data;
}

void release(void* data) {
  {
    const std::lock_guard lock(mutex);
    const auto found = sizes.find(data);
    PURESCOPE_REQUIRE(found != sizes.end());
    total -= found->second;
    sizes.erase(found);
  }
  cudaFree(data);  // at the end of the process the driver may be gone already
}

size_t allocated() {
  const std::lock_guard lock(mutex);
  return total;
}

size_t free_memory() {
  cuda_stream();
  size_t free = 0, all = 0;
  cuda_check(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  return free;
}

void copy(void* dst, const void* src, size_t bytes, cudaMemcpyKind kind) {
  cuda_check(cudaMemcpyAsync(dst, src, bytes, kind, cuda_stream()), "cudaMemcpyAsync");
  if (kind != cudaMemcpyDeviceToDevice) cuda_check(cudaStreamSynchronize(cuda_stream()), "cudaStreamSynchronize");
}
void to_device(void* dst, const void* src, size_t bytes) { copy(dst, src, bytes, cudaMemcpyHostToDevice); }
void to_host(void* dst, const void* src, size_t bytes) { copy(dst, src, bytes, cudaMemcpyDeviceToHost); }
void within(void* dst, const void* src, size_t bytes) { copy(dst, src, bytes, cudaMemcpyDeviceToDevice); }
void fill_zero(void* data, size_t bytes) { cuda_check(cudaMemsetAsync(data, 0, bytes, cuda_stream()), "cudaMemsetAsync"); }
void synchronize() { cuda_check(cudaStreamSynchronize(cuda_stream()), "cudaStreamSynchronize"); }

void record_begin() {
  cuda_check(cudaStreamBeginCapture(cuda_stream(), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
}

DeviceGraph* record_end() {
  Record r{};
  cuda_check(cudaStreamEndCapture(cuda_stream(), &r.graph), "cudaStreamEndCapture");
  cuda_check(cudaGraphInstantiate(&r.exec, r.graph, 0), "cudaGraphInstantiate");
  return reinterpret_cast<DeviceGraph*>(new Record(r));
}

void graph_launch(DeviceGraph* graph) { cuda_check(cudaGraphLaunch(record_of(graph)->exec, cuda_stream()), "cudaGraphLaunch"); }

void graph_free(DeviceGraph* graph) {
  cudaGraphExecDestroy(record_of(graph)->exec);
  cudaGraphDestroy(record_of(graph)->graph);
  delete record_of(graph);
}

}  // namespace

void cuda_check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  const bool missing = error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver || error == cudaErrorMemoryAllocation ||
                       error == cudaErrorNoKernelImageForDevice || error == cudaErrorDevicesUnavailable;
  fail(missing ? kUnavailable : kInternal, std::string("CUDA: ") + cudaGetErrorString(error), what,
       missing ? "check the card and its driver (nvidia-smi), or use --device cpu"
               : "run it with --device emulated to find the kernel at fault");
}

// Kernels are launched by any thread of the host, and each thread starts with card 0: the chosen one is set once per thread.
cudaStream_t cuda_stream() {
  thread_local int current = -1;
  const std::lock_guard lock(mutex);
  if (current != selected) {
    cuda_check(cudaSetDevice(selected), "cudaSetDevice");
    current = selected;
  }
  if (the_stream == nullptr) cuda_check(cudaStreamCreateWithFlags(&the_stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return the_stream;
}

const DeviceRuntime* cuda_runtime() {
  static constexpr DeviceRuntime runtime{available, select, name, allocate, release, allocated, free_memory, to_device, to_host,
                                         within, fill_zero, synchronize, record_begin, record_end, graph_launch, graph_free};
  return &runtime;
}

}  // namespace purescope
