#include "cuda/emulator/block.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "core/check.h"
#include "cuda/emulator/fiber.h"
#include "cuda/emulator/launch.h"

namespace purescope::emulator {

thread_local constinit Here here;

namespace {

std::string text(const Dim3& d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

Dim3 thread_of_rank(unsigned rank) {
  const Dim3& size = here.threads;
  return {rank % size.x, rank / size.x % size.y, rank / size.x / size.y};
}

struct Warp {
  unsigned arrived = 0, mask = 0;  // lanes that wait for the rest of the mask
  const char* file = "";
  int line = 0;
  alignas(16) unsigned char given[kWarp * kWarpValue], seen[kWarp * kWarpValue];
};

struct Thread {
  enum State : unsigned char { Waiting, Ready, Ended } state = Ready;
  int fiber = -1;
  const char* file = "";  // where it waits
  int line = 0;
};

// The threads of the block that this host thread is running.
class Block {
 public:
  void run(const std::function<void()>& body, const Order& order);
  void barrier(const char* file, int line);
  const unsigned char* exchange(unsigned mask, const void* value, size_t bytes, const char* file, int line);

 private:
  struct Worker {
    std::unique_ptr<Fiber> fiber;
    Block* block = nullptr;
    int thread = -1;
  };
  void work(int worker);
  void wait(const char* file, int line);
  void resume(int worker);
  int free_worker();
  [[noreturn]] void stuck();
  void abandon();

  const std::function<void()>* body_ = nullptr;
  std::vector<int> order_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<int> free_;
  size_t started_ = 0, ended_ = 0, at_barrier_ = 0;
  int running_ = -1;  // worker
  bool starting_ = false, released_ = false;
  std::string error_;
  std::exception_ptr exception_;
};

thread_local Block block;

// The body of a fiber: while threads are being started it takes one after the other, as long as none of them waits; a thread that is
// continued later ends alone. So a kernel without barriers runs on one fiber, as a plain loop.
void Block::work(int index) {
  Worker& self = *workers_[index];
  for (;;) {
    while (starting_ && started_ < order_.size() && !exception_) {
      const int rank = order_[started_++];
      self.thread = rank;
      threads_[rank].fiber = index;
      here.rank = rank;
      here.thread = thread_of_rank(rank);
      stop_if_asked();
      try {
        (*body_)();
      } catch (...) {
        exception_ = std::current_exception();
      }
      threads_[rank].state = Thread::Ended;
      ++ended_;
      self.thread = -1;
    }
    free_.push_back(index);
    self.fiber->suspend();
  }
}

int Block::free_worker() {
  if (free_.empty()) {
    const int index = static_cast<int>(workers_.size());
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.block = this;
    worker.fiber = std::make_unique<Fiber>([](void* self) {
      Block& owner = *static_cast<Worker*>(self)->block;
      owner.work(owner.running_);
    }, &worker);
    return index;
  }
  const int index = free_.back();
  free_.pop_back();
  return index;
}

void Block::resume(int worker) {
  running_ = worker;
  const int rank = workers_[worker]->thread;
  if (rank >= 0) {
    here.rank = rank;
    here.thread = thread_of_rank(rank);
  }
  workers_[worker]->fiber->resume();
}

void Block::run(const std::function<void()>& body, const Order& order) {
  const size_t count = here.threads.count();
  body_ = &body;
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  if (order.kind == Order::Reverse) std::reverse(order_.begin(), order_.end());
  if (order.kind == Order::Shuffled) std::shuffle(order_.begin(), order_.end(), std::mt19937(order.seed));
  threads_.assign(count, {});
  warps_.resize((count + kWarp - 1) / kWarp);
  for (Warp& w : warps_) w.arrived = 0;
  started_ = ended_ = at_barrier_ = 0;
  error_.clear();
  exception_ = nullptr;

  starting_ = true;
  while (started_ < count && error_.empty() && !exception_) resume(free_worker());
  starting_ = false;
  while (ended_ < count && error_.empty() && !exception_) {
    bool moved = false;
    // Forward: each thread in turn. Other orders: always the first that can go on, so that some warps run far ahead of the rest.
    for (size_t i = 0; i < count && error_.empty() && !exception_; ++i) {
      const Thread& thread = threads_[order_[i]];
      if (thread.state != Thread::Ready) continue;
      moved = true;
      released_ = false;
      resume(thread.fiber);
      if (released_ && order.kind != Order::Forward) break;
    }
    if (!moved) stuck();
  }
  if (!error_.empty()) stuck();
  if (exception_) {
    const std::exception_ptr e = exception_;
    abandon();
    std::rethrow_exception(e);
  }
}

// Puts every fiber back to its beginning; threads that still wait are forgotten.
void Block::abandon() {
  free_.clear();
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->fiber->restart();
    workers_[i]->thread = -1;
    free_.push_back(static_cast<int>(i));
  }
}

void Block::stuck() {
  std::string what = error_;
  if (what.empty()) {
    size_t first = 0;
    while (threads_[first].state != Thread::Waiting) ++first;
    const Thread& t = threads_[first];
    what = "thread " + text(thread_of_rank(static_cast<unsigned>(first))) + " waits at " + t.file + ":" +
           std::to_string(t.line) + " for threads that never come (" + std::to_string(ended_) + " of " +
           std::to_string(threads_.size()) + " have ended)";
  }
  const std::string place = std::string(here.kernel) + " block " + text(here.block);
  abandon();
  fail(kInternal, what, place, "every thread of the block (or of the mask) must reach the same barrier");
}

void Block::wait(const char* file, int line) {
  const int worker = running_, rank = workers_[worker]->thread;
  threads_[rank].state = Thread::Waiting;
  threads_[rank].file = file;
  threads_[rank].line = line;
  workers_[worker]->fiber->suspend();
}

void Block::barrier(const char* file, int line) {
  if (++at_barrier_ < threads_.size()) return wait(file, line);
  at_barrier_ = 0;
  released_ = true;
  for (Thread& t : threads_) {
    if (t.state != Thread::Waiting) continue;
    if (t.line != line && error_.empty())
      error_ = "threads wait at two different barriers, " + std::string(t.file) + ":" + std::to_string(t.line) +
               " and line " + std::to_string(line);
    t.state = Thread::Ready;
  }
  if (!error_.empty()) wait(file, line);
}

const unsigned char* Block::exchange(unsigned mask, const void* value, size_t bytes, const char* file, int line) {
  const unsigned rank = here.rank, own = rank % kWarp, first = rank - own;
  Warp& w = warps_[rank / kWarp];
  const auto lanes = static_cast<unsigned>(std::min<size_t>(kWarp, threads_.size() - first));
  if (lanes < kWarp) mask &= (1u << lanes) - 1;  // a full mask in a block that does not fill its last warp
  if ((mask >> own & 1) == 0) error_ = "lane " + std::to_string(own) + " is not in its own mask at line " + std::to_string(line);
  else if (w.arrived != 0 && (w.mask != mask || w.line != line))
    error_ = "lanes of a warp meet at two different places, " + std::string(w.file) + ":" + std::to_string(w.line) +
             " and line " + std::to_string(line);
  if (!error_.empty()) {
    wait(file, line);
    return w.seen;
  }
  w.mask = mask;
  w.file = file;
  w.line = line;
  w.arrived |= 1u << own;
  std::memcpy(w.given + own * kWarpValue, value, bytes);
  if (w.arrived != mask) {
    wait(file, line);
    return w.seen;
  }
  w.arrived = 0;
  released_ = true;
  std::memcpy(w.seen, w.given, sizeof w.seen);
  for (unsigned k = 0; k < lanes; ++k)
    if ((mask >> k & 1) != 0 && k != own) threads_[first + k].state = Thread::Ready;
  return w.seen;
}

}  // namespace

std::string where() { return std::string(here.kernel) + " block " + text(here.block) + " thread " + text(here.thread); }

void run_block(const std::function<void()>& body, size_t shared_bytes, const Order& order) {
  thread_local std::vector<unsigned char> shared;
  shared.assign(shared_bytes + 16, 0xff);  // NaN: nothing is there before a thread writes it
  here.shared = shared.data() + (16 - reinterpret_cast<size_t>(shared.data()) % 16) % 16;
  block.run(body, order);
}

void sync_threads(const char* file, int line) { block.barrier(file, line); }

const unsigned char* warp_exchange(unsigned mask, const void* value, size_t bytes, const char* file, int line) {
  return block.exchange(mask, value, bytes, file, line);
}

}  // namespace purescope::emulator
