// explain, bench, compare, selftest: what a network is, what its steps cost, where two computations part, and whether this machine
// computes right.
#include <memory>

#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/selftest.h"
#include "cli/shared_flags.h"

namespace purescope {
namespace {

void register_explain(Program& program) {
  auto o = std::make_shared<ExplainOptions>();
  Command& c = program.add("explain", "Study", "The steps of a network, its backward list and its memory map.",
                           {"purescope explain --arch ddpm-cifar10",
                            "purescope explain --arch adm-256 --memory min --steps-reverse 150",
                            "purescope explain --arch wrn:depth=10,widen=1 --batch 8 --mode training --real f64",
                            "purescope explain --arch ddpm-cifar10 --math fast"},
                           [o] {
                             apply(o->common);
                             return o->common.f64 ? f64::run_explain(*o) : f32::run_explain(*o);
                           });
  c.group("Network");
  c.text("--arch", "ARCH", "preset or spelled-out architecture", o->arch);
  c.required();
  c.choice("--mode", "what the plan is for (default input-grad)", {"forward", "input-grad", "training"}, o->mode);
  c.choice("--memory", "the plan of `gradient --memory`: as little as possible, or all that one network call reads (default auto)", {"min", "auto"}, o->memory);
  c.count("--batch", "images of the memory map (default 1)", o->batch);
  c.count("--steps-reverse", "also the memory of a gradient through this many reverse steps", o->steps_reverse);
  add_common_flags(c, o->common);
  add_json_flag(c, o->common);
}

void register_bench(Program& program) {
  auto o = std::make_shared<BenchOptions>();
  Command& c = program.add("bench", "Study", "How long each step of a network takes here, beside the measured peak of this machine.",
                           {"purescope bench --arch ddpm-cifar10 --math fast",
                            "purescope bench --arch wrn-28-10 --batch 8 --threads 2 --pass forward --repeats 9 --json"},
                           [o] {
                             apply(o->common);
                             return o->common.f64 ? f64::run_bench(*o) : f32::run_bench(*o);
                           });
  c.group("Network");
  c.text("--arch", "ARCH", "preset or spelled-out architecture; weights are made by formula", o->arch);
  c.required();
  c.choice("--pass", "forward alone, with the gradient of the input, or with those of the weights too (default gradient)",
           {"forward", "gradient", "training"}, o->pass);
  c.count("--batch", "images per pass (default 1)", o->batch);
  c.group("Measurement");
  c.count("--warm-up", "passes before the clock starts (default 2)", o->warm_up);
  c.count("--repeats", "passes measured; medians are printed (default 5)", o->repeats);
  add_common_flags(c, o->common);
  add_json_flag(c, o->common);
}

void register_compare(Program& program) {
  auto o = std::make_shared<CompareOptions>();
  o->net.weights = "formula";
  Command& c = program.add(
      "compare", "Study",
      "Two computations of one network in lockstep, to the first step that differs by more than the bar (exit 1).",
      {"purescope compare f32 f64 --arch ddpm-cifar10",
       "purescope compare exact fast --arch ddpm-cifar10",
       "purescope compare cpu emulated --arch cifar-resnet-20 --real f64",
       "purescope compare f64 steps.safetensors --weights w.safetensors --input x.npy --t 37   "
        "# steps.safetensors: forward --dump"},
      [o] {
        apply(o->common);
        return run_compare(*o);
      });
  c.argument("A", "f32, f64, exact or fast (scalar of --real), a device (cpu, cuda, emulated; scalar of --real), or a file written by `purescope forward --dump`", o->a);
  c.argument("B", "the same", o->b);
  add_network_flags(c, o->net);
  c.text("--input", "FILE", "x.npy or FILE.safetensors:TENSOR (default: one image made by formula)", o->input);
  c.integers("--t", "diffusion index (default 37)", o->t, 0, 999);
  c.fraction(
      "--tol",
      "bar of the relative l2 error (default 0 for equal scalars, 1e-5 with float, 1e-9 for double against a file)",
      o->tolerance);
  add_common_flags(c, o->common);
  add_json_flag(c, o->common);
}

void register_selftest(Program& program) {
  auto o = std::make_shared<CommonOptions>();
  Command& c = program.add(
      "selftest", "System",
      "Are the numbers right on this machine? Hashes, random numbers, derivatives, float against double; under 20 s.",
      {"purescope selftest"}, [o] {
        apply(*o);
        return run_selftest(o->json);
      });
  add_common_flags(c, *o);
  add_json_flag(c, *o);
}

}  // namespace

void register_check_commands(Program& program) {
  register_explain(program);
  register_bench(program);
  register_compare(program);
  register_selftest(program);
}

}  // namespace purescope
