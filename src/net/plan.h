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
// consumer) or to a scratch slot, and an Add line follows: d(value) += scratch. Again: the forward of a step once more, because a lean
// plan did not keep its output.
struct BackwardLine {
  enum Kind { Op, Add, Again } kind;
  int step;                                          // Op, Again: index of the step; Add: the step whose scratch is added
  int dx[kMaxInputs] = {-1, -1, -1};                 // value id whose gradient is wanted, -1 if not
  bool to_scratch[kMaxInputs] = {false, false, false};
  int value = -1, scratch = -1;                      // Add: d(value) += scratch slot
};

constexpr size_t kNoSlot = static_cast<size_t>(-1);

struct Plan {
  int batch = 0;
  Mode mode = Mode::Forward;
  bool keep_everything = false;                      // no slot shares memory: every value can be read afterwards
  bool lean = false;                                 // what is cheap to compute again was not kept
  std::vector<BackwardLine> backward;
  // Offsets into the arena in reals, kNoSlot where there is none. value, grad and again (values computed once more) by value id, saved and
  // signs (bits of a ReLU) by step.
  std::vector<size_t> value, grad, again, saved, signs;
  size_t scratch[kMaxInputs] = {kNoSlot, kNoSlot, kNoSlot};
  size_t arena = 0;                                  // size in reals
  size_t value_sum = 0, grad_sum = 0;                // what the slots would take without sharing, in reals
};

// lean (InputGrad only): keeps the inputs of normalisations and attention, and of a ReLU the signs; what is cheap to compute from these
// (the output of a group norm, of a scale and shift) is computed again when it is read. Same bits, a little slower.
Plan make_plan(const Model& model, int batch, Mode mode, bool keep_everything, bool lean = false);

// Reals that hold one bit for each of `count` values.
constexpr size_t sign_reals(size_t count) { return (count + 8 * sizeof(real) - 1) / (8 * sizeof(real)); }

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
