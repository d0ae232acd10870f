// forward, vjp, purify, gradient: one network or the whole chain on arrays in files.
#include <memory>

#include "cli/commands.h"
#include "cli/shared_flags.h"

namespace purescope {
namespace {

void add_array_flags(Command& c, ForwardOptions& o) {
  c.group("Arrays");
  c.text("--input", "FILE", "x.npy or FILE.safetensors:TENSOR, [n, c, h, w]; float32 or float64", o.input);
  c.required();
  c.integers("--t", "diffusion index of a purifier network, 0 to 999: one for all images, or one each", o.t, 0, 999);
  c.text("--output", "FILE", "the result as .npy, in the scalar of --real", o.output);
  c.required();
  c.count("--batch", "images per pass; the bits do not depend on it (default 8)", o.batch);
}

void register_forward(Program& program) {
  auto o = std::make_shared<ForwardOptions>();
  Command& c = program.add(
      "forward", "Study", "The output of one network.",
      {"purescope forward --weights wrn.safetensors --input x.npy --output logits.npy",
       "purescope forward --arch ddpm-cifar10 --weights w.safetensors --input x.npy --t 3,867 "
        "--output eps.npy --real f64",
       "purescope forward --weights w.safetensors --input x.npy --output y.npy --dump steps.safetensors"},
      [o] {
        apply(o->common);
        return o->common.f64 ? f64::run_forward(*o) : f32::run_forward(*o);
      });
  add_network_flags(c, o->net);
  add_array_flags(c, *o);
  c.text("--dump", "FILE", "also the output of every step, for `purescope compare`", o->dump);
  add_common_flags(c, o->common);
}

void register_vjp(Program& program) {
  auto o = std::make_shared<ForwardOptions>();
  Command& c = program.add(
      "vjp", "Study",
      "The vector-Jacobian product of one network: the gradient of sum(output * cotangent) in its input.",
      {"purescope vjp --weights wrn.safetensors --input x.npy --cotangent c.npy --output dx.npy",
       "purescope vjp --arch ddpm-cifar10 --weights w.safetensors --input x.npy --t 37 --cotangent c.npy "
        "--output dx.npy --dparams g.safetensors"},
      [o] {
        apply(o->common);
        return o->common.f64 ? f64::run_vjp(*o) : f32::run_vjp(*o);
      });
  add_network_flags(c, o->net);
  add_array_flags(c, *o);
  c.text("--cotangent", "FILE", "of the shape of the output", o->cotangent);
  c.required();
  c.text("--dparams", "FILE", "safetensors with the gradients of all parameters, summed over the batch", o->dparams);
  c.choice("--memory", "keep as little as possible for the backward pass and compute the rest again (min), or all it reads (auto, the default)",
           {"min", "auto"}, o->memory);
  add_common_flags(c, o->common);
}

void register_purify(Program& program) {
  auto o = std::make_shared<PurifyRunOptions>();
  Command& c = program.add(
      "purify", "Run",
      "Purify images: forward noise to t*, then the reverse process. "
       "Input and output in [0, 1] units, the output not clamped.",
      {"purescope purify -p ddpm.safetensors --input photo.png --t 100 --output purified.png",
       "purescope purify -p ddpm.safetensors --input x.npy --t 100 --steps-reverse 10 --sampler ddim "
        "--output y.npy --trail states",
       "purescope purify -p ddpm.safetensors --input x.npy --t 10 --noise noise.safetensors --output y.npy --real f64"},
      [o] {
        apply(o->common);
        return o->common.f64 ? f64::run_purify(*o) : f32::run_purify(*o);
      });
  add_purifier_flags(c, o->purifier);
  c.group("Images");
  c.text("--input", "FILE", "x.npy, FILE.safetensors:TENSOR, or a PNG or JPEG of the network's size; values in [0, 1]",
         o->input);
  c.required();
  c.text("--output", "FILE", ".npy in the scalar of --real, or .png", o->output);
  c.required();
  c.text("--trail", "DIR", "every state as .npy in [0, 1] units (state_0000 is the noised image), and strip.png",
         o->trail);
  c.count("--batch", "images per pass; the bits do not depend on it (default 8)", o->batch);
  add_purify_flags(c, o->purify);
  add_noise_flags(c, o->noise);
  add_noise_file_flags(c, o->noise);
  add_common_flags(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max; write into a folder that is not empty");
}

void register_gradient(Program& program) {
  auto o = std::make_shared<PurifyRunOptions>();
  Command& c = program.add(
      "gradient", "Study",
      "Loss of the classifier after the purifier (cross-entropy, summed over the images) "
       "and its full gradient in the input.",
      {"purescope gradient -p ddpm.safetensors -c wrn.safetensors --labels 3,5 --input x.npy --t 100 --output g.npy",
       "purescope gradient -p ddpm.safetensors -c wrn.safetensors --labels y.npy --input x.npy "
        "--output g.npy --purified p.npy --memory 4G"},
      [o] {
        apply(o->common);
        return o->common.f64 ? f64::run_gradient(*o) : f32::run_gradient(*o);
      });
  add_purifier_flags(c, o->purifier);
  add_classifier_flags(c, o->classifier);
  c.group("Images");
  c.text("--input", "FILE", "x.npy, FILE.safetensors:TENSOR, or a PNG or JPEG of the network's size; values in [0, 1]",
         o->input);
  c.required();
  c.text("--labels", "3,5", "one label per image, or a .npy of integers", o->labels);
  c.required();
  c.text("--output", "FILE", "the gradient as .npy, in the scalar of --real", o->output);
  c.required();
  c.text("--purified", "FILE", "also the purified images, in [0, 1] units", o->purified);
  c.count("--batch", "images per pass; the bits do not depend on it (default 8)", o->batch);
  add_purify_flags(c, o->purify);
  add_memory_flag(c, o->purify);
  add_noise_flags(c, o->noise);
  add_noise_file_flags(c, o->noise);
  add_common_flags(c, o->common);
  add_json_flag(c, o->common);
  add_force_flag(c, o->common, "go beyond the purifier's t_max");
}

}  // namespace

void register_study_commands(Program& program) {
  register_purify(program);
  register_forward(program);
  register_vjp(program);
  register_gradient(program);
}

}  // namespace purescope
