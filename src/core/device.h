// Where tensors live and how bytes get there. Three devices: the CPU; a CUDA card (when the program was built with a toolkit); and the
// emulated card, which runs the CUDA kernels as plain C++ (cuda/README.md) and whose memory the host may not touch.
// Memory of a device is only an address to the host: it is read and written through device_copy.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace purescope {

enum class Device : unsigned char { Cpu, Cuda, Emulated };

struct DeviceChoice {
  Device device = Device::Cpu;
  int ordinal = 0;  // which card; 0 for the others
  bool operator==(const DeviceChoice&) const = default;
};

// "cpu", "cuda", "cuda:1", "emulated". Anything else: exit 2.
DeviceChoice parse_device(std::string_view text);
std::string to_string(const DeviceChoice& choice);
const char* device_kind(Device device);  // "cpu", "cuda", "emulated"

// Whether the device can be used in this process; if not and `why` is given, the reason in words.
bool device_available(Device device, std::string* why = nullptr);
// Makes card `ordinal` the one that Device::Cuda means, before anything is allocated on it. Exit 69 if it is not there: nothing
// falls back to another device.
void device_select(Device device, int ordinal);
// What a run card says: "cpu", "emulated", "NVIDIA H100 (cuda:0, sm_90, 132 multiprocessors, CUDA 13.0)".
std::string device_name(Device device);

// At least `bytes` bytes, aligned to 64 (cards: 256), undefined content (emulated: NaN). Exit 69 if there is no such device or memory.
void* device_allocate(Device device, size_t bytes);
void device_free(Device device, void* data);  // null is allowed
// Bytes that device_allocate handed out and that are not yet freed.
size_t device_allocated(Device device);
// Bytes that could still be allocated: of a card, else of this machine (MemAvailable; SIZE_MAX where the system does not say).
size_t device_free_memory(Device device);
size_t host_free_memory();

// dst[0..bytes) = src[0..bytes), ordered after all earlier work on both devices and finished on return if one of them is the CPU.
void device_copy(Device to, void* dst, Device from, const void* src, size_t bytes);
void device_fill_zero(Device device, void* data, size_t bytes);
// Waits for all work on the device; errors of earlier kernels are raised here. Nothing to do on the CPU.
void device_synchronize(Device device);

// A recorded sequence of kernel launches. Between begin and end, launches and copies within the device are recorded and not run;
// allocation and copies to or from the host fail. The recorded work reads and writes the same addresses at every launch.
struct DeviceGraph;
bool device_can_record(Device device);  // cards, real and emulated: yes; the CPU: no
void device_record_begin(Device device);
DeviceGraph* device_record_end(Device device);
void device_graph_launch(Device device, DeviceGraph* graph);
void device_graph_free(Device device, DeviceGraph* graph);  // null is allowed

// What a device provides; cuda/ implements it. No member is null.
struct DeviceRuntime {
  bool (*available)(std::string* why);
  void (*select)(int ordinal);
  std::string (*name)();
  void* (*allocate)(size_t bytes);
  void (*release)(void* data);
  size_t (*allocated)();
  size_t (*free_memory)();
  void (*to_device)(void* dst, const void* src, size_t bytes);
  void (*to_host)(void* dst, const void* src, size_t bytes);
  void (*within)(void* dst, const void* src, size_t bytes);
  void (*fill_zero)(void* data, size_t bytes);
  void (*synchronize)();
  void (*record_begin)();
  DeviceGraph* (*record_end)();
  void (*graph_launch)(DeviceGraph* graph);
  void (*graph_free)(DeviceGraph* graph);
};
const DeviceRuntime* cuda_runtime();      // null in a build without a toolkit
const DeviceRuntime* emulated_runtime();  // always there

}  // namespace purescope
