#include "cuda/emulator/launch.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"
#include "cuda/emulator/stream.h"

extern "C" [[gnu::noinline]] void purescope_emulator_stop() { asm volatile(""); }

namespace purescope::emulator {
namespace {

std::atomic<size_t> kernels{0}, threads_run{0}, stops{0};

struct Stop {
  std::string kernel;
  Dim3 block, thread;
};

Order order_from_environment() {
  const char* text = std::getenv("PURESCOPE_EMULATOR_ORDER");
  const std::string s = text == nullptr ? "forward" : text;
  if (s == "forward") return {};
  if (s == "reverse") return {Order::Reverse};
  if (s.starts_with("shuffle:")) return {Order::Shuffled, static_cast<unsigned>(std::strtoul(s.c_str() + 8, nullptr, 10))};
  fail(kUsage, "unknown order '" + s + "'", "PURESCOPE_EMULATOR_ORDER", "use forward, reverse or shuffle:SEED");
}

Stop stop_from_environment() {
  const char* text = std::getenv("PURESCOPE_EMULATOR_STOP");
  if (text == nullptr) return {};
  Stop s;
  char name[128];
  if (std::sscanf(text, "%127[^:]:%u,%u,%u:%u,%u,%u", name, &s.block.x, &s.block.y, &s.block.z, &s.thread.x,
                  &s.thread.y, &s.thread.z) != 7)
    fail(kUsage, std::string("cannot read '") + text + "'", "PURESCOPE_EMULATOR_STOP",
         "write KERNEL:X,Y,Z:X,Y,Z (block, thread)");
  s.kernel = name;
  return s;
}

Order& order() {
  static Order o = order_from_environment();
  return o;
}
Stop& stop() {
  static Stop s = stop_from_environment();
  return s;
}

// The limits of every card since compute capability 5.0 that a launch can exceed.
void check_sizes(const char* kernel, const Dim3& grid, const Dim3& threads, size_t shared_bytes) {
  const bool fits = grid.x <= 2147483647u && grid.y <= 65535u && grid.z <= 65535u && threads.count() >= 1 &&
                    threads.count() <= 1024 && threads.z <= 64 && shared_bytes <= 48 << 10;
  if (!fits)
    fail(kInternal,
         "a card refuses this launch: grid " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
             std::to_string(grid.z) + ", " + std::to_string(threads.count()) + " threads, " +
             std::to_string(shared_bytes) + " bytes shared",
         kernel, "cut the work differently");
}

void run_one(const char* kernel, const Dim3& grid, const Dim3& threads, size_t shared_bytes,
             const std::function<void()>& body, size_t index, Order threads_order) {
  here.kernel = kernel;
  here.blocks = grid;
  here.threads = threads;
  here.block = Dim3(static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
                    static_cast<unsigned>(index / grid.x / grid.y));
  threads_order.seed += static_cast<unsigned>(index);
  run_block(body, shared_bytes, threads_order);
}

void run_grid(const char* kernel, const Dim3& grid, const Dim3& threads, size_t shared_bytes, const std::function<void()>& body) {
  const size_t blocks = grid.count();
  const Order o = order();
  kernels.fetch_add(1, std::memory_order_relaxed);
  threads_run.fetch_add(blocks * threads.count(), std::memory_order_relaxed);
  if (o.kind == Order::Forward && stop().kernel.empty()) {
    const size_t chunk = std::max<size_t>(1, blocks / (static_cast<size_t>(thread_count()) * 8));
    parallel_for(static_cast<int>((blocks + chunk - 1) / chunk), [&](int task) {
      for (size_t i = task * chunk; i < std::min(blocks, (task + 1) * chunk); ++i)
        run_one(kernel, grid, threads, shared_bytes, body, i, o);
    });
    return;
  }
  std::vector<size_t> sequence(blocks);
  std::iota(sequence.begin(), sequence.end(), size_t{0});
  if (o.kind == Order::Reverse) std::reverse(sequence.begin(), sequence.end());
  if (o.kind == Order::Shuffled) std::shuffle(sequence.begin(), sequence.end(), std::mt19937(o.seed));
  for (const size_t i : sequence) run_one(kernel, grid, threads, shared_bytes, body, i, o);
}

}  // namespace

void launch_grid(const char* kernel, Dim3 grid, Dim3 threads, size_t shared_bytes, std::function<void()> body) {
  check_sizes(kernel, grid, threads, shared_bytes);
  submit([=, body = std::move(body)] { run_grid(kernel, grid, threads, shared_bytes, body); });
}

void set_order(Order o) { order() = o; }
void set_stop(const std::string& kernel, Dim3 block, Dim3 thread) { stop() = {kernel, block, thread}; }

void stop_if_asked() {
  const Stop& s = stop();
  if (!s.kernel.empty() && std::string_view(here.kernel).find(s.kernel) != std::string_view::npos &&
      s.block == here.block && s.thread == here.thread) {
    stops.fetch_add(1, std::memory_order_relaxed);
    purescope_emulator_stop();
  }
}

Counts counts() { return {kernels.load(), threads_run.load(), stops.load()}; }

}  // namespace purescope::emulator
