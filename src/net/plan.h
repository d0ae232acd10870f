// What a network needs in memory and in which order its gradients are computed: the backward list, in which every fan-in addition
// is its own line, and one arena whose slots are placed by liveness.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "net/step.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

enum class Mode {
  Forward,    // outputs only
  InputGrad,  // forward, then the gradient of the input alone
  Training    // forward, then the gradients of all trainable parameters (and of the input)
};

// One line of the backward list. Op: the backward of a step; each wanted input gradient is written either to its own slot (first
// consumer) or to a scratch slot, and an Add line follows: d(value) += scratch.
struct BackwardLine {
  enum Kind { Op, Add } kind;
  int step;                                          // Op: index of the step; Add: the step whose scratch is added
  int dx[kMaxInputs] = {-1, -1, -1};                 // value id whose gradient is wanted, -1 if not
  bool to_scratch[kMaxInputs] = {false, false, false};
  int value = -1, scratch = -1;                      // Add: d(value) += scratch slot
};

constexpr size_t kNoSlot = static_cast<size_t>(-1);

struct Plan {
  int batch = 0;
  Mode mode = Mode::Forward;
  bool keep_everything = false;                      // no slot shares memory: every value can be read afterwards
  std::vector<BackwardLine> backward;
  // Offsets into the arena in reals, kNoSlot where there is none. value/grad by value id, saved by step.
  std::vector<size_t> value, grad, saved;
  size_t scratch[kMaxInputs] = {kNoSlot, kNoSlot, kNoSlot};
  size_t arena = 0;                                  // size in reals
  size_t value_sum = 0, grad_sum = 0;                // what the slots would take without sharing, in reals
};

Plan make_plan(const Model& model, int batch, Mode mode, bool keep_everything);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
