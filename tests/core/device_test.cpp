#include "core/device.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/check.h"

using namespace purescope;

namespace {

int code_of(const auto& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_FALSE(e.todo.empty()) << e.what();
    return e.code;
  }
  return kOk;
}

// Memory of a device for the length of a test.
struct Block {
  Block(Device device, size_t bytes) : device(device), data(device_allocate(device, bytes)) {}
  ~Block() { device_free(device, data); }
  Device device;
  void* data;
};

}  // namespace

TEST(Device, NamesAreReadAndWritten) {
  EXPECT_EQ(parse_device("cpu"), (DeviceChoice{Device::Cpu, 0}));
  EXPECT_EQ(parse_device("cuda"), (DeviceChoice{Device::Cuda, 0}));
  EXPECT_EQ(parse_device("cuda:3"), (DeviceChoice{Device::Cuda, 3}));
  EXPECT_EQ(parse_device("emulated"), (DeviceChoice{Device::Emulated, 0}));
  for (const char* text : {"cpu", "cuda:0", "cuda:7", "emulated"}) EXPECT_EQ(to_string(parse_device(text)), text);
  for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:1x", "CUDA", "cpu:0", "emulated:1", "cuda:99999999999"})
    EXPECT_EQ(code_of([&] { parse_device(text); }), kUsage) << text;
}

TEST(Device, CopiesInEveryDirection) {
  const std::vector<int> numbers{1, 2, 3, 4, 5};
  const size_t bytes = numbers.size() * sizeof(int);
  for (const Device from : {Device::Cpu, Device::Emulated})
    for (const Device to : {Device::Cpu, Device::Emulated}) {
      const Block a(from, bytes), b(to, bytes);
      std::vector<int> back(numbers.size(), -1);
      device_copy(from, a.data, Device::Cpu, numbers.data(), bytes);
      device_copy(to, b.data, from, a.data, bytes);
      device_copy(Device::Cpu, back.data(), to, b.data, bytes);
      EXPECT_EQ(back, numbers);
      device_fill_zero(to, b.data, bytes - sizeof(int));
      device_synchronize(to);
      device_copy(Device::Cpu, back.data(), to, b.data, bytes);
      EXPECT_EQ(back, (std::vector<int>{0, 0, 0, 0, 5}));
    }
}

TEST(Device, AllocationsAreCounted) {
  for (const Device device : {Device::Cpu, Device::Emulated}) {
    const size_t before = device_allocated(device);
    {
      const Block a(device, 1000), b(device, 0), c(device, 5000);
      EXPECT_EQ(device_allocated(device), before + 6000);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data) % 64, 0u);
      EXPECT_NE(b.data, nullptr);
    }
    EXPECT_EQ(device_allocated(device), before);
    device_free(device, nullptr);
  }
  EXPECT_EQ(code_of([] { device_allocate(Device::Emulated, size_t{1} << 50); }), kUnavailable);
}

TEST(Device, WithoutAToolkitCudaIsRefused) {
  std::string why;
  if (cuda_runtime() != nullptr) GTEST_SKIP() << "built with CUDA";
  EXPECT_FALSE(device_available(Device::Cuda, &why));
  EXPECT_NE(why.find("built without CUDA"), std::string::npos);
  EXPECT_EQ(code_of([] { device_allocate(Device::Cuda, 8); }), kUnavailable);
  EXPECT_EQ(code_of([] { device_select(Device::Cuda, 0); }), kUnavailable);
  EXPECT_EQ(code_of([] { device_synchronize(Device::Cuda); }), kUnavailable);
  EXPECT_TRUE(device_available(Device::Cpu, &why));
  EXPECT_TRUE(device_available(Device::Emulated, &why));
  EXPECT_EQ(code_of([] { device_select(Device::Emulated, 1); }), kUnavailable);
}

TEST(Device, RecordedWorkRunsAtEachLaunchAndNotBefore) {
  const std::vector<int> numbers{1, 2, 3};
  const size_t bytes = numbers.size() * sizeof(int);
  const Block a(Device::Emulated, bytes), b(Device::Emulated, bytes);
  std::vector<int> back(3);
  device_copy(Device::Emulated, a.data, Device::Cpu, numbers.data(), bytes);
  device_fill_zero(Device::Emulated, b.data, bytes);
  device_record_begin(Device::Emulated);
  device_copy(Device::Emulated, b.data, Device::Emulated, a.data, bytes);
  EXPECT_EQ(code_of([&] { device_copy(Device::Cpu, back.data(), Device::Emulated, b.data, bytes); }), kInternal);
  EXPECT_EQ(code_of([&] { device_allocate(Device::Emulated, 8); }), kInternal);
  DeviceGraph* graph = device_record_end(Device::Emulated);
  device_copy(Device::Cpu, back.data(), Device::Emulated, b.data, bytes);
  EXPECT_EQ(back, (std::vector<int>{0, 0, 0}));
  device_graph_launch(Device::Emulated, graph);
  device_copy(Device::Cpu, back.data(), Device::Emulated, b.data, bytes);
  EXPECT_EQ(back, numbers);
  device_fill_zero(Device::Emulated, a.data, bytes);
  device_graph_launch(Device::Emulated, graph);
  device_copy(Device::Cpu, back.data(), Device::Emulated, b.data, bytes);
  EXPECT_EQ(back, (std::vector<int>{0, 0, 0}));
  device_graph_free(Device::Emulated, graph);
}

TEST(DeviceDeathTest, TheHostCannotTouchDeviceMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Block a(Device::Emulated, 16);
  EXPECT_DEATH(*static_cast<volatile int*>(a.data) = 1, "");
  EXPECT_DEATH(static_cast<void>(*static_cast<volatile int*>(a.data)), "");
  int out = 0;  // negative control: through device_copy it is allowed
  EXPECT_EQ(code_of([&] { device_copy(Device::Cpu, &out, Device::Emulated, a.data, sizeof out); }), kOk);
  EXPECT_EQ(code_of([&] { device_copy(Device::Cpu, &out, Device::Emulated, static_cast<char*>(a.data) + 14, sizeof out); }), kInternal);
}
