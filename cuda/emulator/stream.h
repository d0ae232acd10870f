// The stream of the emulated card: work is done at once, in the calling thread, or recorded as a graph.
#pragma once
#include <cstdint>
#include <functional>

namespace purescope::emulator {

using Work = std::function<void()>;

// Runs `work` with device memory open, or, between record_begin and record_end on this thread, appends it to the record.
void submit(Work work);
bool recording();

// How often the host gave the card something to do: launches, copies, fills and replays outside of recordings, in all threads.
uint64_t submissions();

}  // namespace purescope::emulator
