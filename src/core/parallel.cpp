#include "core/parallel.h"

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"

namespace purescope {
namespace {

constexpr int kLooks = 2000;  // about 20 to 50 microseconds

thread_local bool inside_task = false;

// Tells the core that this is a loop of waiting.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns once `value` is no longer `old`. Tasks of a network follow each other within microseconds, while waking a sleeping thread takes tens
// of them: it looks for a while before it sleeps.
template <class T>
void await_change(const std::atomic<T>& value, T old) {
  for (int look = 0; look < kLooks; ++look) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

// A pool that sleeps when there is nothing to do. The caller takes part in the work and waits for the tasks that others have taken, not for
// the others: where the cores are busy elsewhere a worker may wake too late, and then it has missed a call and nobody has missed it.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~Pool() {
    stop_ = true;
    start(0);
    for (auto& worker : workers_) worker.join();
  }
  int size() const { return static_cast<int>(workers_.size()) + 1; }

  void run(int count, const std::function<void(int)>& task) {
    task_ = &task; error_ = nullptr;
    done_.store(0, std::memory_order_relaxed);
    const uint32_t call = start(count);
    drain(call);
    for (int done; (done = done_.load(std::memory_order_acquire)) != count;) await_change(done_, done);
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Opens the next call, with so many tasks. What was written before is seen by whoever takes one of them.
  uint32_t start(int count) {
    const uint32_t call = call_.load(std::memory_order_relaxed) + 1;
    count_ = count;
    left_.store(static_cast<uint64_t>(call) << 32 | static_cast<uint32_t>(count), std::memory_order_release);
    call_.store(call, std::memory_order_release);
    call_.notify_all();
    return call;
  }
  // The number of a task that nobody had, or -1: none is left, or another call has begun. While a task is out its call cannot end.
  int take(uint32_t call) {
    uint64_t left = left_.load(std::memory_order_acquire);
    do {
      if (left >> 32 != call || static_cast<uint32_t>(left) == 0) return -1;
    } while (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire));
    return count_ - static_cast<int>(static_cast<uint32_t>(left));
  }
  void drain(uint32_t call) {
    inside_task = true;
    for (int i; (i = take(call)) >= 0;) {
      const int count = count_;
      try {
        (*task_)(i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done_.notify_one();
    }
    inside_task = false;
  }
  void work() {
    for (uint32_t seen = 0;;) {
      await_change(call_, seen);
      seen = call_.load(std::memory_order_acquire);
      if (stop_) return;
      drain(seen);
    }
  }

  std::vector<std::thread> workers_;
  const std::function<void(int)>* task_ = nullptr;
  std::atomic<bool> stop_{false};
  int count_ = 0;                            // tasks of the call; read by whoever has one
  std::atomic<int> done_{0};                 // those that have ended
  std::atomic<uint64_t> left_{0};            // the call (upper half), how many of its tasks nobody has taken (lower half)
  std::atomic<uint32_t> call_{0};            // the same call, for workers to sleep on
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

int default_threads() {
  if (const char* text = std::getenv("PURESCOPE_THREADS")) {
    const int value = std::atoi(text);
    if (value < 1 || value > 1024)
      fail(kUsage, "PURESCOPE_THREADS is '" + std::string(text) + "'", "environment", "set it to a number from 1 to 1024");
    return value;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return 1;
}

std::unique_ptr<Pool>& pool() {
  static std::unique_ptr<Pool> instance;
  return instance;
}

}  // namespace

int thread_count() {
  if (!pool()) pool() = std::make_unique<Pool>(default_threads());
  return pool()->size();
}

void set_thread_count(int threads) {
  PURESCOPE_REQUIRE(threads >= 1 && !inside_task);
  if (!pool() || pool()->size() != threads) pool() = std::make_unique<Pool>(threads);
}

void parallel_for(int count, const std::function<void(int)>& task) {
  if (count <= 0) return;
  if (inside_task || count == 1 || thread_count() == 1) {
    for (int i = 0; i < count; ++i) task(i);
    return;
  }
  pool()->run(count, task);
}

void* thread_scratch(size_t bytes, int slot) {
  struct Free { void operator()(void* p) const { std::free(p); } };
  struct Block { std::unique_ptr<void, Free> data; size_t size = 0; };
  thread_local Block blocks[4];
  PURESCOPE_REQUIRE(slot >= 0 && slot < 4);
  Block& block = blocks[slot];
  if (block.size < bytes) {
    const size_t rounded = (bytes + 63) / 64 * 64;
    block.data.reset();
    block.data.reset(std::aligned_alloc(64, rounded));
    if (!block.data) fail(kUnavailable, "out of memory: cannot allocate scratch space", "", "free memory and try again");
    block.size = rounded;
  }
  return block.data.get();
}

}  // namespace purescope
