// convert, inspect, train, version.
#include <climits>
#include <memory>

#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/shared_flags.h"
#include "io/fraction.h"
#include "io/inspect.h"
#include "io/signals.h"

namespace purescope {
namespace {

void register_convert(Program& program) {
  auto o = std::make_shared<ConvertOptions>();
  Command& c = program.add(
      "convert", "Data", "A PyTorch checkpoint (zip or legacy) to safetensors. Nothing in the file is executed.",
      {"purescope convert model.pt weights.safetensors --arch wrn-28-10",
       "purescope convert ckpt.pth ema.safetensors --take ema", "purescope convert model.pt raw.safetensors --raw",
       "purescope convert model.pt half.safetensors --arch adm-256 --dtype f16"},
      [o] {
        o->common.force = o->force;
        return f32::run_convert(*o);
      });
  c.argument("INPUT", "the checkpoint, or a .safetensors file", o->input);
  c.argument("OUTPUT", "the safetensors file to write", o->output);
  c.group("Conversion");
  c.text("--arch", "ARCH", "check all keys and shapes against this network, and record it in the file", o->arch);
  c.choice("--take", "which part of the file (default auto)", {"auto", "model", "ema", "state_dict"}, o->take);
  c.flag("--raw", "keep all tensors and their names as they are", o->raw);
  c.choice("--dtype", "type of floating-point tensors, rounded to nearest even (default keep)", {"keep", "f16", "bf16", "f32", "f64"}, o->dtype);
  c.flag("--force", "replace an existing output", o->force);
  c.flag("--strict", "refuse NaN and infinity (default: warn)", o->common.strict);
  c.flag("-q,--quiet", "no messages but warnings and errors", o->common.quiet);
}

void register_inspect(Program& program) {
  auto path = std::make_shared<std::string>();
  Command& c =
      program.add("inspect", "Data", "What a safetensors, npy or PyTorch file holds: tensors, shapes, metadata, hash.",
                  {"purescope inspect weights.safetensors"}, [path] {
                    print_out(inspect_text(*path));
                    return int{0};
                  });
  c.argument("FILE", "the file", *path);
}

void register_train(Program& program) {
  struct Options {
    CommonOptions common;
    TrainOptions train;
  };
  auto o = std::make_shared<Options>();
  TrainOptions& t = o->train;
  Command& c = program.add(
      "train", "Run", "Train a purifier (ddpm) or a classifier; resumable to the bit.",
      {"purescope train ddpm --arch ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16 "
        "--data shapes:0 -n 4096 --t-max 300 --steps 20000 --out w.safetensors",
       "purescope train classifier --arch wrn:depth=10,widen=1 "
        "--data cifar10:cifar-10-batches-bin --augment crop-flip --steps 9000 --out c.safetensors"},
      [o] {
        apply(o->common);
        if (!o->train.init.empty()) o->train.init = find_weights(o->train.init, "--init");
        return o->common.f64 ? f64::run_train(o->train) : f32::run_train(o->train);
      });
  c.argument("WHAT", "ddpm or classifier", t.what);
  c.group("Training");
  c.text("--arch", "ARCH", "architecture of the network", t.arch);
  c.required();
  c.text("--data", "SOURCE", "training images", t.data);
  c.required();
  c.text("--out", "FILE", "weights (safetensors); the state is FILE.state", t.out);
  c.required();
  c.integer("-n,--n-images", "how many images (default all)", t.count, 1, INT64_MAX);
  c.text("--held-out", "SOURCE", "images for the held-out loss", t.held_out);
  c.integer("--held-out-count", "how many of them (default 200)", t.held_out_count, 1, INT64_MAX);
  c.integer("--steps", "optimiser steps (default 1000)", t.steps, 1, INT64_MAX);
  c.count("--batch", "images per step (default 32)", t.batch);
  c.fraction("--lr", "peak learning rate (default 1e-3)", t.lr);
  c.fraction("--ema", "decay of the average that is saved (default 0.999)", t.ema);
  c.fraction("--weight-decay", "default 0", t.weight_decay);
  c.option("--t-max", "N", "ddpm: train on t < N (default 1000)",
           [&t](const std::string& text, const std::string& flag) {
             t.t_max = static_cast<int>(parse_int(text, flag, 1, 1000));
           });
  c.choice("--augment", "default none", {"none", "flip", "crop-flip"}, t.augment);
  c.fraction("--noise-augment", "classifier: normal noise of a deviation up to this on every training image (default 0)", t.noise_augment);
  c.integer("--seed", "default 0", t.seed, 0, INT64_MAX);
  c.text("--init", "FILE", "start from these weights: safetensors file, or bundled name", t.init);
  c.integer("--save-every", "steps between states (default 500)", t.save_every, 1, INT64_MAX);
  c.flag("--resume", "continue from FILE.state", t.resume);
  add_common_flags(c, o->common);
  program.on_line([o](const std::vector<std::string>& words) {
    o->train.command.clear();
    for (const std::string& w : words) o->train.command += (o->train.command.empty() ? "" : " ") + w;
  });
}

void register_version(Program& program) {
  auto json = std::make_shared<bool>(false);
  Command& c = program.add("version", "System", "Version and build facts.", {"purescope version --json"}, [json] {
    print_version(*json);
    return int{0};
  });
  c.flag("--json", "print JSON", *json);
}

}  // namespace

void register_data_commands(Program& program) {
  register_train(program);
  register_convert(program);
  register_inspect(program);
  register_version(program);
}

}  // namespace purescope
