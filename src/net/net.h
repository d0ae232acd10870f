// A network at work: a model, its parameters, a plan and one arena. forward() and backward() walk the lists of the plan.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <tuple>

#include "net/params.h"
#include "net/plan.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class Net {
 public:
  // `params` may be shared by several nets of the same model. The network works on the device where they lie.
  Net(Model model, std::shared_ptr<Params> params);

  // Lays out memory for up to `batch` images. After this nothing allocates. Views taken before are stale.
  void plan(int batch, Mode mode, bool keep_everything = false);
  // From the next plan() on: lean plans (make_plan) for input gradients.
  void set_lean(bool lean) { lean_ = lean; }
  bool lean() const { return lean_; }
  // Uses only the first `batch` images of the plan (1 <= batch <= the planned one).
  void set_batch(int batch);
  int batch() const { return batch_; }
  // Works in this memory (current_plan().arena reals) instead of the net's own; nullptr: back to the own. What an earlier pass left in
  // either arena stays there, so a backward pass can follow later.
  void use_arena(const Buffer* arena) { base_ = arena ? arena->data() : arena_.data(); }

  // All Views lie on device(): what a caller writes it writes with ops, transfer or from_host.
  View input() const { return value(model_.input); }     // [n, c, h, w], written by the caller before forward()
  void set_time(double t);                                // the same t for all images (networks without a time input ignore it)
  View time() const { return value(model_.time); }       // [n, 1]; to be written before every forward(), its memory is lent out
  View output() const { return value(model_.output); }   // valid from forward() to backward()
  View output_grad() const { return grad(model_.output); }  // written by the caller after forward(), before backward()
  View input_grad() const { return grad(model_.input); } // valid after backward()

  void forward();
  // Needs forward() of the same input just before. Training: parameter gradients accumulate in grads().
  void backward();

  Device device() const { return params_->device(); }
  const Model& model() const { return model_; }
  // Devices that can record: forward() and backward() run step by step once for each arena and batch, are recorded at the next call and
  // replayed from then on, one launch each; same bits. Inputs and the time are read from the arena, so one record serves every diffusion
  // step. Callbacks turn it off. Default: on, unless PURESCOPE_GRAPHS=0.
  void use_graphs(bool on) { graphs_on_ = on; }
  int graph_count() const;                                // passes that are recorded

  const Plan& current_plan() const { return plan_; }
  Params& params() { return *params_; }
  std::shared_ptr<Params> shared_params() const { return params_; }
  Params& grads();                                        // Mode::Training only; zero it with fill_zero()

  // Any value or gradient by id. With plan(..., keep_everything = true) all stay readable after a pass.
  View value(int id) const { return slot(plan_.value[id], id); }
  View grad(int id) const { return slot(plan_.grad[id], id); }
  // Called after every step of forward() with the index of the step.
  std::function<void(int step)> on_step;
  // Called after every line of the backward list.
  std::function<void(int line)> on_backward_line;

 private:
  View slot(size_t offset, int id) const;
  View saved(int step) const;
  View signs(int step) const;
  View kept(int id) const { return plan_.again[id] != kNoSlot ? slot(plan_.again[id], id) : value(id); }   // for the backward pass
  View scratch(const BackwardLine& line, int k) const;
  View param(const Step& s, int k) const { return s.param[k] < 0 ? View{} : params_->view(s.param[k]); }
  View param_grad(const Step& s, int k) const;
  void run(bool backward);
  void take_filters();
  void forward_steps();
  void backward_lines();
  void forward_step(int index, bool again);
  void backward_step(const BackwardLine& line);
  void check_red_zones(const char* when) const;

  Model model_;
  std::shared_ptr<Params> params_;
  std::unique_ptr<Params> grads_;
  Plan plan_;
  Buffer arena_;
  real* base_ = nullptr;   // start of the arena in use
  int batch_ = 0;
  bool lean_ = false;
  struct FreeGraph { Device device; void operator()(DeviceGraph* g) const { device_graph_free(device, g); } };
  // By arena, batch and direction; empty after the first pass, which runs step by step and lets the ops allocate what they work in.
  std::map<std::tuple<const real*, int, bool>, std::unique_ptr<DeviceGraph, FreeGraph>> graphs_;
  bool graphs_on_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
