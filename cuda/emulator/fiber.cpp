#include "cuda/emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/check.h"

#if !defined(__x86_64__) || defined(PURESCOPE_FIBER_UCONTEXT)
#define USE_UCONTEXT
#include <ucontext.h>
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH(fake, bottom, size) __sanitizer_start_switch_fiber(fake, bottom, size)
#define FINISH_SWITCH(fake, bottom, size) __sanitizer_finish_switch_fiber(fake, bottom, size)
#define FORGET_STACK(bottom, size) __asan_unpoison_memory_region(bottom, size)
#else
#define START_SWITCH(fake, bottom, size) (void)(fake)
#define FINISH_SWITCH(fake, bottom, size) (void)(fake)
#define FORGET_STACK(bottom, size) (void)(bottom)
#endif

#ifndef USE_UCONTEXT
// Saves what a function must keep (System V ABI) on the current stack, its pointer in *save, and goes on with the stack `load`.
extern "C" void purescope_switch_stack(void** save, void* load);
asm(R"(
.text
.globl purescope_switch_stack
.type purescope_switch_stack, @function
purescope_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size purescope_switch_stack, .-purescope_switch_stack
)");
#endif

namespace purescope::emulator {
namespace {

constexpr size_t kGuard = 4096;  // below the stack: running over the end crashes
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kStack = 256 << 10;
#else
constexpr size_t kStack = 64 << 10;
#endif

}  // namespace

Fiber::Fiber(void (*entry)(void*), void* argument) : entry_(entry), argument_(argument) {
  void* p = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    fail(kUnavailable, "out of memory: no stack for a thread of the emulated device", "", "use smaller blocks");
  stack_ = static_cast<unsigned char*>(p) + kGuard;
  mprotect(p, kGuard, PROT_NONE);
#ifdef USE_UCONTEXT
  inside_ = new ucontext_t;
  outside_ = new ucontext_t;
#endif
  prepare();
}

Fiber::~Fiber() {
#ifdef USE_UCONTEXT
  delete static_cast<ucontext_t*>(inside_);
  delete static_cast<ucontext_t*>(outside_);
#endif
  FORGET_STACK(stack_, kStack);
  munmap(stack_ - kGuard, kGuard + kStack);
}

void Fiber::enter_inside() {
  FINISH_SWITCH(inside_fake_, &outside_bottom_, &outside_size_);
}

void Fiber::begin(Fiber* fiber) {
  fiber->enter_inside();
  fiber->entry_(fiber->argument_);
  broken("a fiber returned", __FILE__, __LINE__);
}

#ifdef USE_UCONTEXT

void Fiber::prepare() {
  auto* context = static_cast<ucontext_t*>(inside_);
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = kStack;
  context->uc_link = nullptr;
  const auto address = reinterpret_cast<uintptr_t>(this);  // makecontext passes ints
  makecontext(context, reinterpret_cast<void (*)()>(+[](unsigned low, unsigned high) {
                begin(reinterpret_cast<Fiber*>(static_cast<uintptr_t>(high) << 32 | low));
              }), 2, static_cast<unsigned>(address), static_cast<unsigned>(address >> 32));
}

void Fiber::resume() {
  START_SWITCH(&outside_fake_, stack_, kStack);
  swapcontext(static_cast<ucontext_t*>(outside_), static_cast<ucontext_t*>(inside_));
  FINISH_SWITCH(outside_fake_, nullptr, nullptr);
}

void Fiber::suspend() {
  START_SWITCH(&inside_fake_, outside_bottom_, outside_size_);
  swapcontext(static_cast<ucontext_t*>(inside_), static_cast<ucontext_t*>(outside_));
  enter_inside();
}

#else

// The stack of a fiber that has not run yet looks as if it had been left by purescope_switch_stack inside a small function that calls
// begin(fiber): its rbx is the fiber and its return address is that function.
extern "C" void purescope_fiber_start();
asm(R"(
.text
.globl purescope_fiber_start
.type purescope_fiber_start, @function
purescope_fiber_start:
  .cfi_startproc
  .cfi_undefined rip
  movq %rbx, %rdi
  call *%r12
  ud2
  .cfi_endproc
.size purescope_fiber_start, .-purescope_fiber_start
)");

void Fiber::prepare() {
  auto* top = reinterpret_cast<void**>(stack_ + kStack);
  *--top = nullptr;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&purescope_fiber_start);
  *--top = nullptr;                              // rbp
  *--top = this;                                 // rbx
  *--top = reinterpret_cast<void*>(&begin);      // r12
  for (int i = 0; i < 3; ++i) *--top = nullptr;  // r13 to r15
  inside_ = top;
}

void Fiber::resume() {
  START_SWITCH(&outside_fake_, stack_, kStack);
  purescope_switch_stack(&outside_, inside_);
  FINISH_SWITCH(outside_fake_, nullptr, nullptr);
}

void Fiber::suspend() {
  START_SWITCH(&inside_fake_, outside_bottom_, outside_size_);
  purescope_switch_stack(&inside_, outside_);
  enter_inside();
}

#endif

void Fiber::restart() {
  FORGET_STACK(stack_, kStack);
  inside_fake_ = nullptr;
  prepare();
}

}  // namespace purescope::emulator
