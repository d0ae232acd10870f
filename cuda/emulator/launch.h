// Launching a grid on the emulated card: what is checked, in which order it runs, where it stops for a debugger.
#pragma once
#include <functional>

#include "cuda/emulator/block.h"

namespace purescope::emulator {

// Blocks of `grid` run on the threads of the host, each block on one of them; in an order other than Forward, and while a stop is set,
// on the calling thread alone. Exit 70 if the sizes are ones that a card refuses.
void launch_grid(const char* kernel, Dim3 grid, Dim3 threads, size_t shared_bytes, std::function<void()> body);

// Default: PURESCOPE_EMULATOR_ORDER=forward|reverse|shuffle:SEED, else forward.
void set_order(Order order);

// The thread for which purescope_emulator_stop() is called before it starts; an empty kernel name: none. Default:
// PURESCOPE_EMULATOR_STOP=KERNEL:X,Y,Z:X,Y,Z (block, thread). In gdb: break purescope_emulator_stop, then finish, then step.
void set_stop(const std::string& kernel, Dim3 block, Dim3 thread);
void stop_if_asked();

// Kernels launched by this process, threads run by them, and calls of purescope_emulator_stop.
struct Counts { size_t kernels = 0, threads = 0, stops = 0; };
Counts counts();

}  // namespace purescope::emulator

extern "C" void purescope_emulator_stop();
