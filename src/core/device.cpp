#include "core/device.h"

#include <sys/mman.h>

#include <charconv>
#include <cstdlib>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/check.h"

namespace purescope {

#ifndef PURESCOPE_WITH_CUDA
const DeviceRuntime* cuda_runtime() { return nullptr; }
#endif

namespace {

constexpr const char* kNoCuda = "this program was built without CUDA";
constexpr const char* kNoCudaTodo =
    "use --device cpu or --device emulated, or build where nvcc is installed (docs/gpu/README.md)";

// The runtime of a device other than the CPU.
const DeviceRuntime& runtime(Device device) {
  PURESCOPE_REQUIRE(device != Device::Cpu);
  const DeviceRuntime* r = device == Device::Cuda ? cuda_runtime() : emulated_runtime();
  if (r == nullptr) fail(kUnavailable, kNoCuda, "--device cuda", kNoCudaTodo);
  return *r;
}

// Sizes of what is allocated on the CPU, for device_allocated.
std::mutex cpu_mutex;
std::unordered_map<void*, size_t> cpu_sizes;
size_t cpu_total = 0;

// Kept filters and arenas are read from end to end at every pass: what is longer than a huge page asks for them, and what is longer than a
// few begins on one.
constexpr size_t kHugePage = size_t{2} << 20;

void ask_for_huge_pages(void* data, size_t bytes) {
  const uintptr_t page = 4096, begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page, end = reinterpret_cast<uintptr_t>(data) + bytes;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

void* cpu_allocate(size_t bytes) {
  const size_t rounded = bytes == 0 ? 64 : (bytes + 63) / 64 * 64;
  void* data = nullptr;  // posix_memalign: the size need not be a multiple of the alignment
  if (posix_memalign(&data, bytes >= 4 * kHugePage ? kHugePage : 64, rounded) != 0) data = nullptr;
  if (data != nullptr && bytes >= kHugePage) ask_for_huge_pages(data, bytes);
  if (data == nullptr)
    fail(kUnavailable, "out of memory: cannot allocate " + std::to_string(bytes >> 20) + " MiB", "",
         "use a smaller --batch, or --memory min");
  const std::lock_guard lock(cpu_mutex);
  cpu_sizes[data] = bytes;
  cpu_total += bytes;
  return data;
}

void cpu_free(void* data) {
  {
    const std::lock_guard lock(cpu_mutex);
    const auto found = cpu_sizes.find(data);
    PURESCOPE_REQUIRE(found != cpu_sizes.end());
    cpu_total -= found->second;
    cpu_sizes.erase(found);
  }
  std::free(data);
}

}  // namespace

DeviceChoice parse_device(std::string_view text) {
  if (text == "cpu") return {Device::Cpu, 0};
  if (text == "cuda") return {Device::Cuda, 0};
  if (text == "emulated") return {Device::Emulated, 0};
  constexpr std::string_view kPrefix = "cuda:";
  int ordinal = -1;
  if (text.starts_with(kPrefix)) {
    const char *begin = text.data() + kPrefix.size(), *end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(begin, end, ordinal);
    if (error == std::errc() && rest == end && ordinal >= 0) return {Device::Cuda, ordinal};
  }
  fail(kUsage, "unknown device '" + std::string(text) + "'", "--device", "use cpu, cuda, cuda:N (card number N) or emulated");
}

const char* device_kind(Device device) {
  switch (device) {
    case Device::Cpu: return "cpu";
    case Device::Cuda: return "cuda";
    case Device::Emulated: return "emulated";
  }
  return "";
}

std::string to_string(const DeviceChoice& choice) {
  std::string text = device_kind(choice.device);
  if (choice.device == Device::Cuda) text += ":" + std::to_string(choice.ordinal);
  return text;
}

bool device_available(Device device, std::string* why) {
  if (device == Device::Cpu) return true;
  const DeviceRuntime* r = device == Device::Cuda ? cuda_runtime() : emulated_runtime();
  if (r != nullptr) return r->available(why);
  if (why != nullptr) *why = kNoCuda;
  return false;
}

void device_select(Device device, int ordinal) {
  if (device == Device::Cpu) return;
  runtime(device).select(ordinal);
}

std::string device_name(Device device) { return device == Device::Cpu ? "cpu" : runtime(device).name(); }

void* device_allocate(Device device, size_t bytes) {
  return device == Device::Cpu ? cpu_allocate(bytes) : runtime(device).allocate(bytes);
}

void device_free(Device device, void* data) {
  if (data == nullptr) return;
  device == Device::Cpu ? cpu_free(data) : runtime(device).release(data);
}

size_t host_free_memory() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  for (size_t kib; file >> word; )
    if (word == "MemAvailable:" && file >> kib) return kib << 10;
  return SIZE_MAX;
}

size_t device_free_memory(Device device) { return device == Device::Cpu ? host_free_memory() : runtime(device).free_memory(); }

size_t device_allocated(Device device) {
  if (device != Device::Cpu) return runtime(device).allocated();
  const std::lock_guard lock(cpu_mutex);
  return cpu_total;
}

void device_copy(Device to, void* dst, Device from, const void* src, size_t bytes) {
  if (bytes == 0) return;
  if (to == Device::Cpu && from == Device::Cpu) std::memcpy(dst, src, bytes);
  else if (to == from) runtime(to).within(dst, src, bytes);
  else if (from == Device::Cpu) runtime(to).to_device(dst, src, bytes);
  else if (to == Device::Cpu) runtime(from).to_host(dst, src, bytes);
  else {
    std::vector<unsigned char> host(bytes);
    runtime(from).to_host(host.data(), src, bytes);
    runtime(to).to_device(dst, host.data(), bytes);
  }
}

void device_fill_zero(Device device, void* data, size_t bytes) {
  if (bytes == 0) return;
  if (device == Device::Cpu) std::memset(data, 0, bytes);
  else runtime(device).fill_zero(data, bytes);
}

void device_synchronize(Device device) {
  if (device != Device::Cpu) runtime(device).synchronize();
}

bool device_can_record(Device device) { return device != Device::Cpu; }
void device_record_begin(Device device) { runtime(device).record_begin(); }
DeviceGraph* device_record_end(Device device) { return runtime(device).record_end(); }
void device_graph_launch(Device device, DeviceGraph* graph) { runtime(device).graph_launch(graph); }
void device_graph_free(Device device, DeviceGraph* graph) {
  if (graph != nullptr) runtime(device).graph_free(graph);
}

}  // namespace purescope
