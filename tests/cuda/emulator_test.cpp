// The emulated card itself: what a kernel may use, and what it must not get away with.
#include "core/check.h"
#include "cuda/reduce.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

using namespace purescope;
using emulator::Order;

namespace {

constexpr int kBlock = 96;

// Memory of the emulated card with values of any type.
template <class T>
class Memory {
 public:
  explicit Memory(const std::vector<T>& values) : count_(values.size()) {
    data_ = static_cast<T*>(device_allocate(Device::Emulated, count_ * sizeof(T)));
    device_copy(Device::Emulated, data_, Device::Cpu, values.data(), count_ * sizeof(T));
  }
  ~Memory() { device_free(Device::Emulated, data_); }
  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> v(count_);
    device_copy(Device::Cpu, v.data(), Device::Emulated, data_, count_ * sizeof(T));
    return v;
  }

 private:
  size_t count_;
  T* data_;
};

struct InOrder {
  explicit InOrder(Order o) { emulator::set_order(o); }
  ~InOrder() { emulator::set_order({}); }
};
const std::vector<Order> kOrders = {{Order::Forward}, {Order::Reverse}, {Order::Shuffled, 1}, {Order::Shuffled, 2}};

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.code, kInternal);
    return e.message();
  }
  return "";
}

__global__ void index_kernel(int* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += static_cast<int>(1000 * block + thread);
}

// out = the block's values backwards, through shared memory.
__global__ void reverse_kernel(const int* in, int* out) {
  __shared__ int values[kBlock];
  const int i = threadIdx.x, first = blockIdx.x * kBlock;
  values[i] = in[first + i];
  __syncthreads();
  out[first + i] = values[kBlock - 1 - i];
}

// As above with the barrier forgotten.
__global__ void forgotten_barrier_kernel(const int* in, int* out) {
  __shared__ int values[kBlock];
  const int i = threadIdx.x, first = blockIdx.x * kBlock;
  values[i] = in[first + i];
  out[first + i] = values[kBlock - 1 - i];
}

// Looks at the lower neighbour without a barrier: right by luck when threads run in ascending order.
__global__ void lucky_kernel(const int* in, int* out) {
  __shared__ int values[kBlock];
  const int i = threadIdx.x;
  values[i] = in[i];
  out[i] = values[i == 0 ? 0 : i - 1];
}

// Blocks must not talk to each other: every block adds to the same place.
__global__ void block_order_kernel(int* last) {
  if (threadIdx.x == 0) *last = static_cast<int>(blockIdx.x);
}

__global__ void dynamic_kernel(float* out) {
  float* values = PURESCOPE_DEVICE_NS::dynamic_shared<float>();
  const int i = threadIdx.x;
  out[2 * i] = values[i];
  __syncthreads();
  values[i] = static_cast<float>(i);
  __syncthreads();
  out[2 * i + 1] = values[(i + 1) % blockDim.x];
}

__global__ void warp_kernel(int* out) {
  const int lane = threadIdx.x % 32;
  int* mine = out + threadIdx.x * 8;
  mine[0] = __shfl_sync(~0u, lane * 10, 5);
  mine[1] = __shfl_xor_sync(~0u, lane, 16);
  mine[2] = __shfl_down_sync(~0u, lane, 4);
  mine[3] = __shfl_up_sync(~0u, lane, 3);
  mine[4] = static_cast<int>(__ballot_sync(~0u, lane % 3 == 0));
  mine[5] = __any_sync(~0u, lane == 31) + 2 * __any_sync(~0u, lane == 40);
  mine[6] = __all_sync(~0u, lane < 32) + 2 * __all_sync(~0u, lane < 31);
  __syncwarp();
  mine[7] = lane < 8 ? __shfl_sync(0xffu, lane, 3) : -1;
}

__global__ void leaves_early_kernel(int* out) {
  if (threadIdx.x == 7) return;
  __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void two_barriers_kernel(int* out) {
  if (threadIdx.x % 2 == 0)
    __syncthreads();
  else
    __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void split_warp_kernel(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(~0u, 1, 0);
}

__global__ void throwing_kernel() {
  if (threadIdx.x == 3) fail(kInternal, "from a kernel", "", "");
  __syncthreads();
}

__global__ void out_of_bounds_kernel(float* out, int index) { out[index + threadIdx.x] = 1; }

__global__ void sum_kernel(const accum* in, accum* out) {
  const accum total = PURESCOPE_DEVICE_NS::block_sum(in[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 13) out[blockIdx.x] = total;
}

std::vector<int> numbers(int count) {
  std::vector<int> v(count);
  for (int i = 0; i < count; ++i) v[i] = 3 * i + 1;
  return v;
}

// Every block of kBlock backwards.
std::vector<int> reversed_blocks(const std::vector<int>& v) {
  std::vector<int> r(v.size());
  for (size_t i = 0; i < v.size(); ++i) r[i] = v[i / kBlock * kBlock + kBlock - 1 - i % kBlock];
  return r;
}

}  // namespace

TEST(Emulator, EveryThreadRunsOnceAndKnowsItsPlace) {
  for (const Order order : kOrders) {
    const InOrder guard(order);
    const Memory<int> out(std::vector<int>(2 * 3 * 4 * 30, 0));
    PURESCOPE_LAUNCH(index_kernel, dim3(2, 3, 4), dim3(5, 3, 2), 0)(out.data());
    const std::vector<int> v = out.values();
    for (int i = 0; i < static_cast<int>(v.size()); ++i) ASSERT_EQ(v[i], 1000 * (i / 30) + i % 30);
  }
}

TEST(Emulator, ABarrierOrdersSharedMemory) {
  const std::vector<int> in = numbers(5 * kBlock);
  for (const Order order : kOrders) {
    const InOrder guard(order);
    const Memory<int> from(in), to(std::vector<int>(in.size(), 0));
    PURESCOPE_LAUNCH(reverse_kernel, 5, kBlock, 0)(from.data(), to.data());
    EXPECT_EQ(to.values(), reversed_blocks(in));
  }
}

TEST(Emulator, AForgottenBarrierIsSeen) {
  const std::vector<int> in = numbers(5 * kBlock);
  for (const Order order : kOrders) {
    const InOrder guard(order);
    const Memory<int> from(in), to(std::vector<int>(in.size(), 0));
    PURESCOPE_LAUNCH(forgotten_barrier_kernel, 5, kBlock, 0)(from.data(), to.data());
    EXPECT_NE(to.values(), reversed_blocks(in));
  }
}

TEST(Emulator, AnotherOrderSeesABarrierThatIsMissedOnlyByLuck) {
  const std::vector<int> in = numbers(kBlock);
  std::vector<int> expected = in;
  for (int i = 1; i < kBlock; ++i) expected[i] = in[i - 1];
  const auto result = [&](Order order) {
    const InOrder guard(order);
    const Memory<int> from(in), to(std::vector<int>(in.size(), 0));
    const std::vector<int> other(kBlock, -1);
    const Memory<int> wrong(other);
    PURESCOPE_LAUNCH(lucky_kernel, 1, kBlock, 0)(wrong.data(), to.data());  // what static shared memory holds from before
    PURESCOPE_LAUNCH(lucky_kernel, 1, kBlock, 0)(from.data(), to.data());
    return to.values();
  };
  EXPECT_EQ(result({Order::Forward}), expected);
  EXPECT_NE(result({Order::Reverse}), expected);
  EXPECT_NE(result({Order::Shuffled, 1}), expected);
}

TEST(Emulator, TheOrderOfBlocksChanges) {
  std::vector<int> last;
  for (const Order order : kOrders) {
    const InOrder guard(order);
    const Memory<int> out(std::vector<int>{-1});
    PURESCOPE_LAUNCH(block_order_kernel, 100, 1, 0)(out.data());
    last.push_back(out.values()[0]);
  }
  EXPECT_EQ(last[1], 0);
  EXPECT_NE(last[2], last[3]);
}

TEST(Emulator, DynamicSharedMemoryStartsAsNaN) {
  const Memory<float> out(std::vector<float>(2 * 40, 0));
  for (int twice = 0; twice < 2; ++twice) {
    PURESCOPE_LAUNCH(dynamic_kernel, 1, 40, 40 * sizeof(float))(out.data());
    const std::vector<float> v = out.values();
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(std::isnan(v[2 * i]));
      EXPECT_EQ(v[2 * i + 1], (i + 1) % 40);
    }
  }
}

TEST(Emulator, WarpsExchangeValuesAndVotes) {
  for (const Order order : kOrders) {
    const InOrder guard(order);
    const Memory<int> out(std::vector<int>(64 * 8, 0));
    PURESCOPE_LAUNCH(warp_kernel, 1, 64, 0)(out.data());
    const std::vector<int> v = out.values();
    for (int i = 0; i < 64; ++i) {
      const int lane = i % 32;
      const std::array<int, 8> expected{50, lane ^ 16, lane + 4 < 32 ? lane + 4 : lane, lane >= 3 ? lane - 3 : lane,
                                        static_cast<int>(0x49249249u), 1, 1, lane < 8 ? 3 : -1};
      for (int k = 0; k < 8; ++k) EXPECT_EQ(v[i * 8 + k], expected[k]) << "lane " << lane << " value " << k;
    }
  }
}

TEST(Emulator, ABarrierThatCannotBePassedIsReported) {
  const Memory<int> out(std::vector<int>(64, 0));
  const auto contains = [](const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; };
  const std::string early = message_of([&] { PURESCOPE_LAUNCH(leaves_early_kernel, 1, 64, 0)(out.data()); });
  EXPECT_TRUE(contains(early, "leaves_early_kernel block (0,0,0)") && contains(early, "emulator_test.cpp") &&
              contains(early, "1 of 64 have ended"))
      << early;
  const std::string two = message_of([&] { PURESCOPE_LAUNCH(two_barriers_kernel, 1, 64, 0)(out.data()); });
  EXPECT_TRUE(contains(two, "two different barriers")) << two;
  const std::string warp = message_of([&] { PURESCOPE_LAUNCH(split_warp_kernel, 1, 64, 0)(out.data()); });
  EXPECT_TRUE(contains(warp, "split_warp_kernel") && contains(warp, "never come")) << warp;
  const std::string thrown = message_of([&] { PURESCOPE_LAUNCH(throwing_kernel, 3, 64, 0)(); });
  EXPECT_TRUE(contains(thrown, "from a kernel")) << thrown;
  // The card is as good as before.
  const std::vector<int> in = numbers(kBlock);
  const Memory<int> from(in), to(std::vector<int>(in.size(), 0));
  PURESCOPE_LAUNCH(reverse_kernel, 1, kBlock, 0)(from.data(), to.data());
  EXPECT_EQ(to.values(), reversed_blocks(in));
}

TEST(Emulator, RefusesWhatACardRefuses) {
  const Memory<int> out(std::vector<int>(1, 0));
  EXPECT_NE(message_of([&] { PURESCOPE_LAUNCH(block_order_kernel, 1, 1025, 0)(out.data()); }), "");
  EXPECT_NE(message_of([&] { PURESCOPE_LAUNCH(block_order_kernel, dim3(1, 65536), 1, 0)(out.data()); }), "");
  EXPECT_NE(message_of([&] { PURESCOPE_LAUNCH(block_order_kernel, 1, 1, 48 * 1024 + 1)(out.data()); }), "");
  PURESCOPE_LAUNCH(block_order_kernel, 0, 1, 0)(out.data());  // nothing to do
  EXPECT_EQ(out.values()[0], 0);
}

TEST(Emulator, BlockSumsAreRightInEveryOrder) {
  std::vector<accum> in;
  for (int i = 0; i < 2 * PURESCOPE_DEVICE_NS::kThreads; ++i) in.push_back(1.0 / (i + 1));
  std::vector<accum> first;
  for (const Order order : kOrders) {
    const InOrder guard(order);
    const Memory<accum> from(in), to(std::vector<accum>(2, 0));
    PURESCOPE_LAUNCH(sum_kernel, 2, PURESCOPE_DEVICE_NS::kThreads, 0)(from.data(), to.data());
    const std::vector<accum> sums = to.values();
    for (int b = 0; b < 2; ++b) {
      accum expected = 0;
      for (int i = 0; i < PURESCOPE_DEVICE_NS::kThreads; ++i) expected += in[b * PURESCOPE_DEVICE_NS::kThreads + i];
      EXPECT_NEAR(sums[b], expected, 1e-14 * expected);
    }
    if (first.empty()) first = sums;
    EXPECT_EQ(sums, first);
  }
}

TEST(Emulator, RecordedKernelsRunWhenTheGraphIsLaunched) {
  const std::vector<int> in = numbers(kBlock);
  const Memory<int> from(in), to(std::vector<int>(in.size(), 0));
  device_record_begin(Device::Emulated);
  PURESCOPE_LAUNCH(reverse_kernel, 1, kBlock, 0)(from.data(), to.data());
  DeviceGraph* graph = device_record_end(Device::Emulated);
  EXPECT_EQ(to.values(), std::vector<int>(kBlock, 0));
  device_graph_launch(Device::Emulated, graph);
  EXPECT_EQ(to.values(), reversed_blocks(in));
  device_graph_free(Device::Emulated, graph);
}

TEST(EmulatorDeathTest, AnIndexOutOfBoundsIsCaughtUnderTheAddressSanitizer) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Memory<float> a(std::vector<float>(100, 0)), b(std::vector<float>(100, 0));
  PURESCOPE_LAUNCH(out_of_bounds_kernel, 1, 100, 0)(a.data(), 0);  // negative control: inside
  EXPECT_EQ(a.values(), std::vector<float>(100, 1));
#ifdef __SANITIZE_ADDRESS__
  const auto one_too_far = [&] { PURESCOPE_LAUNCH(out_of_bounds_kernel, 1, 1, 0)(a.data(), 100); };
  EXPECT_DEATH(one_too_far(), "out_of_bounds_kernel");
#else
  GTEST_SKIP() << "one value past the end is found by the address sanitizer only";
#endif
}

TEST(Emulator, StopsAtTheThreadThatIsAskedFor) {
  const Memory<int> out(std::vector<int>(2 * 3 * 4 * 30, 0));
  const size_t before = emulator::counts().stops;
  emulator::set_stop("index_kernel", dim3(1, 2, 3), dim3(4, 0, 1));
  PURESCOPE_LAUNCH(index_kernel, dim3(2, 3, 4), dim3(5, 3, 2), 0)(out.data());
  EXPECT_EQ(emulator::counts().stops, before + 1);
  PURESCOPE_LAUNCH(block_order_kernel, dim3(2, 3, 4), dim3(5, 3, 2), 0)(out.data());
  EXPECT_EQ(emulator::counts().stops, before + 1);
  emulator::set_stop("", {}, {});
  PURESCOPE_LAUNCH(index_kernel, dim3(2, 3, 4), dim3(5, 3, 2), 0)(out.data());
  EXPECT_EQ(emulator::counts().stops, before + 1);
}
