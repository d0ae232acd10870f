// Threads of our own, over independent tasks. A task must not depend on which thread runs it, so results are
// the same bits for any number of threads.
#pragma once
#include <cstddef>
#include <functional>

namespace purescope {

// Number of threads used by parallel_for (default: PURESCOPE_THREADS, else the cores this process may use).
int thread_count();
void set_thread_count(int threads);

// Runs task(0) ... task(count - 1), each once, on thread_count() threads; returns when all are done. The first
// exception thrown by a task is rethrown here. Called from inside a task it runs serially.
void parallel_for(int count, const std::function<void(int)>& task);

// Scratch memory of the calling thread, at least `bytes` long, 64-byte aligned, contents undefined. `slot` (0..3)
// separates buffers that are in use at the same time. Grows on first use and is then reused.
void* thread_scratch(size_t bytes, int slot = 0);

}  // namespace purescope
