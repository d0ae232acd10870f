// The emulated card behind core/device.h.
#include <atomic>
#include <cstring>
#include <vector>

#include "core/check.h"
#include "core/device.h"
#include "cuda/emulator/memory.h"
#include "cuda/emulator/stream.h"

namespace purescope {

namespace emulator {
namespace {

// What a DeviceGraph points to; the CUDA device has another type of its own.
struct Record {
  std::vector<Work> work;
};
Record* record_of(DeviceGraph* graph) { return reinterpret_cast<Record*>(graph); }

thread_local Record* record = nullptr;
std::atomic<uint64_t> submitted{0};

void require_not_recording(const char* what) {
  if (record != nullptr)
    fail(kInternal, std::string(what) + " while a graph is recorded", "emulated device", "do it before device_record_begin");
}

void require_owned(const void* data, size_t bytes) {
  if (!owns(data, bytes))
    fail(kInternal, "a copy of " + std::to_string(bytes) + " bytes is not inside one allocation of the emulated device",
         "emulated device", "check the device of the view and its size");
}

bool available(std::string*) { return true; }
std::string name() { return "emulated"; }
void select(int ordinal) {
  if (ordinal != 0) fail(kUnavailable, "there is one emulated device, number 0", "--device", "use --device emulated");
}

void* checked_allocate(size_t bytes) {
  require_not_recording("memory was allocated");
  return allocate(bytes);
}
void checked_release(void* data) {
  require_not_recording("memory was freed");
  release(data);
}

void to_device(void* dst, const void* src, size_t bytes) {
  require_not_recording("the host wrote to the device");
  require_owned(dst, bytes);
  ++submitted;
  const Access access;
  std::memcpy(dst, src, bytes);
}
void to_host(void* dst, const void* src, size_t bytes) {
  require_not_recording("the host read from the device");
  require_owned(src, bytes);
  ++submitted;
  const Access access;
  std::memcpy(dst, src, bytes);
}
void within(void* dst, const void* src, size_t bytes) {
  require_owned(dst, bytes);
  require_owned(src, bytes);
  submit([=] { std::memmove(dst, src, bytes); });
}
void fill_zero(void* data, size_t bytes) {
  require_owned(data, bytes);
  submit([=] { std::memset(data, 0, bytes); });
}
void synchronize() { require_not_recording("the host waited for the device"); }

void record_begin() {
  require_not_recording("another recording was begun");
  record = new Record;
}
DeviceGraph* record_end() {
  PURESCOPE_REQUIRE(record != nullptr);
  auto* graph = reinterpret_cast<DeviceGraph*>(record);
  record = nullptr;
  return graph;
}
void graph_launch(DeviceGraph* graph) {
  require_not_recording("a graph was launched");
  ++submitted;
  const Access access;
  for (const Work& work : record_of(graph)->work) work();
}
void graph_free(DeviceGraph* graph) { delete record_of(graph); }

}  // namespace

void submit(Work work) {
  if (record != nullptr) {
    record->work.push_back(std::move(work));
    return;
  }
  ++submitted;
  const Access access;
  work();
}
bool recording() { return record != nullptr; }
uint64_t submissions() { return submitted; }

}  // namespace emulator

const DeviceRuntime* emulated_runtime() {
  using namespace emulator;
  static constexpr DeviceRuntime runtime{available,   select,       name,       checked_allocate, checked_release,
                                         allocated,   host_free_memory, to_device,    to_host,    within,           fill_zero,
                                         synchronize, record_begin, record_end, graph_launch,     graph_free};
  return &runtime;
}

}  // namespace purescope
