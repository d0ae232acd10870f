// A fiber: a stack of its own, entered and left by hand within one thread of the host. The threads of an emulated block are fibers, so
// that each can wait at a barrier in the middle of a function.
#pragma once
#include <cstddef>

namespace purescope::emulator {

class Fiber {
 public:
  // Runs entry(argument) on a fresh stack when first resumed. entry must not return: it leaves through suspend for the last time.
  Fiber(void (*entry)(void*), void* argument);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();   // from the host thread: continues the fiber until it suspends
  void suspend();  // from inside: back to resume()
  void restart();  // from outside: forgets where the fiber was; the next resume starts it anew

 private:
  static void begin(Fiber* fiber);
  void prepare();
  void enter_inside();

  void (*entry_)(void*);
  void* argument_;
  unsigned char* stack_ = nullptr;
  void *inside_ = nullptr, *outside_ = nullptr;   // saved stack pointers (or contexts) of the two sides
  void *inside_fake_ = nullptr, *outside_fake_ = nullptr;  // the address sanitizer's stacks of the two sides
  const void* outside_bottom_ = nullptr;
  size_t outside_size_ = 0;
};

}  // namespace purescope::emulator
