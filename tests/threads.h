// So many threads while this lives; then as many as before, however a test ends.
#pragma once
#include "core/parallel.h"

namespace purescope {

struct Threads {
  explicit Threads(int count) : before(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before); }
  int before;
};

}  // namespace purescope
