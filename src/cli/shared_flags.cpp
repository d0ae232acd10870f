#include "cli/shared_flags.h"

#include <climits>
#include <cstdio>

#include "cli/bundled.h"
#include "core/check.h"
#include "core/current_device.h"
#include "core/math_mode.h"
#include "core/parallel.h"
#include "io/fraction.h"
#include "io/text.h"

namespace purescope {
namespace {

// Purifications of the papers by name, and the tables of "v2" (docs/experiments.md) that report on them. What is empty or 0 is left as it
// is, or the sampler's default.
struct PurifyPreset { const char* name; int t; const char *forward, *sampler, *variance, *labels; int image_size; const char* table; };
constexpr PurifyPreset kPurifyPresets[] = {
    {"cifar10", 0, "steps", "", "", "", 0, "v2 Table S6, CIFAR-10: forward process step by step; t* and sampler are the experiment's"},
    {"imagenet", 0, "jump", "", "learned", "torchsde-fp32", 224, "v2 Table S6, ImageNet; t* and sampler are the experiment's"},
    {"cifar10-ddpm", 100, "steps", "ddpm", "", "", 0, "v2 Tables 2 and 3, row DDPM, t 100; Tables S2, S4, S5"},
    {"cifar10-reverse", 100, "", "reverse", "", "", 0, "v2 Tables 2 and 3, row Reverse-only, t 100"},
    {"cifar10-ddim", 100, "steps", "ddim", "", "", 0, "v2 Tables 2 and 3, row DDIM, t 100"},
    {"cifar10-scoresde-vp", 100, "jump", "vpsde", "", "continuous", 0, "DiffPure (Nie et al. 2022), CIFAR-10, l-inf 8/255, t 0.1: the 70.64 % that v2 quotes"},
    {"imagenet-guided", 150, "jump", "ddpm", "learned", "", 224, "v2 Tables S3 and S7, t 150; with --t 100 Table 4, row DDPM"},
    {"imagenet-vpsde", 100, "jump", "vpsde", "", "torchsde-fp32", 224, "v2 Table 4, row VPSDE"},
    {"imagenet-dpm20", 100, "jump", "dpm20", "", "", 224, "v2 Table 4, row DPM-20"},
};

void take(const PurifyPreset& p, PurifyFlags& o) {
  o.preset = p.name;
  if (p.t) o.t = {p.t};
  o.forward = p.forward;
  if (*p.sampler) o.sampler = p.sampler;
  o.variance = p.variance;
  o.labels = p.labels;
  o.image_size = p.image_size;
}

void set_preset(const std::string& name, const std::string& flag, PurifyFlags& o) {
  std::string names;
  for (const PurifyPreset& p : kPurifyPresets) {
    names += (names.empty() ? "" : ", ") + std::string(p.name);
    if (name == p.name) return take(p, o);
  }
  fail(kUsage, "unknown preset '" + printable(name) + "'", flag, "choose " + names);
}

}  // namespace

void add_common_flags(Command& c, CommonOptions& o) {
  c.group("Common");
  c.option("--real", "f32|f64", "scalar of all arithmetic and of the arrays written (default f32)",
           [&o](const std::string& text, const std::string& flag) {
             if (text != "f32" && text != "f64")
               fail(kUsage, "unknown value '" + printable(text) + "'", flag, "choose f32 or f64");
             o.f64 = text == "f64";
           });
  c.option("--math", "exact|fast",
           "how products are computed (default exact). fast, with more rounding: on the CPU convolutions by Winograd where a cost model "
           "says so (`explain --math fast` prints which), on a device by tensor cores, and attention by blocks",
           [&o](const std::string& text, const std::string& flag) {
             if (text != "exact" && text != "fast")
               fail(kUsage, "unknown value '" + printable(text) + "'", flag, "choose exact or fast");
             o.fast = text == "fast";
           });
  c.option("--precision", "fp32|tf32|bf16", "factors of products with --math fast on a device, in float (default tf32; fp32: not rounded, no tensor cores)",
           [&o](const std::string& text, const std::string& flag) {
             if (text != "fp32" && text != "tf32" && text != "bf16")
               fail(kUsage, "unknown value '" + printable(text) + "'", flag, "choose fp32, tf32 or bf16");
             o.precision = text;
           });
  c.option("--device", "cpu|cuda[:N]|emulated",
           "where to compute: here, on CUDA card N, or its kernels run as plain C++, slowly (default PURESCOPE_DEVICE, else cpu)",
           [&o](const std::string& text, const std::string&) {
             parse_device(text);
             o.device = text;
           });
  c.option("--threads", "N", "threads (default PURESCOPE_THREADS, else all cores)",
           [&o](const std::string& text, const std::string& flag) {
             o.threads = static_cast<int>(parse_int(text, flag, 1, 4096));
           });
  c.flag("--strict", "refuse NaN and infinity in weights and inputs (default: warn)", o.strict);
  c.flag("-q,--quiet", "no messages but warnings and errors", o.quiet);
  c.flag("-v,--verbose", "also say with what it is computed: version, scalar, device, threads; networks with the sha256 of their weights", o.verbose);
}

void add_json_flag(Command& c, CommonOptions& o) { c.flag("--json", "print JSON, one object per line", o.json); }

void add_force_flag(Command& c, CommonOptions& o, const std::string& help) { c.flag("--force", help, o.force); }

void add_network_flags(Command& c, NetworkChoice& o) {
  o.weights_flag = "--weights";
  o.arch_flag = "--arch";
  c.group("Network");
  c.text("--weights", "FILE", "safetensors file, bundled name, or `formula` (weights made by formula)", o.weights);
  c.text("--arch", "ARCH", "preset or spelled-out architecture, where the file does not name its own", o.arch);
}

void add_purifier_flags(Command& c, NetworkChoice& o) {
  o.weights_flag = "--purifier";
  o.arch_flag = "--purifier-arch";
  if (o.weights.empty()) o.weights = kDefaultPurifier;
  c.group("Networks");
  c.text("-p,--purifier", "FILE", "safetensors file, bundled name, `formula`, or `none` (default " + o.weights + ")",
         o.weights);
  c.text("--purifier-arch", "ARCH", "where the file does not name its own", o.arch);
}

void add_classifier_flags(Command& c, NetworkChoice& o) {
  o.weights_flag = "--classifier";
  o.arch_flag = "--classifier-arch";
  if (o.weights.empty()) o.weights = kDefaultClassifier;
  c.group("Networks");
  c.text("-c,--classifier", "FILE", "safetensors file, bundled name, or `formula` (default " + o.weights + ")",
         o.weights);
  c.text("--classifier-arch", "ARCH", "where the file does not name its own", o.arch);
}

void add_purify_flags(Command& c, PurifyFlags& o) {
  c.group("Purification");
  c.option("--preset", "NAME",
           "cifar10-ddpm | cifar10-reverse | cifar10-ddim | cifar10-scoresde-vp | imagenet-guided | imagenet-vpsde | imagenet-dpm20: the "
           "flags of this group at once; those given besides win. cifar10 | imagenet: the same without t* and sampler. "
           "`purescope --list-presets` says what each stands for",
           [&o](const std::string& text, const std::string& flag) { set_preset(text, flag, o); });
  c.option("--t", "N", "t*, the number of forward diffusion steps, 1 to 1000 (default 100)",
           [&o](const std::string& text, const std::string& flag) {
             o.t.clear();
             for (int64_t t : parse_int_list(text, flag, 1, 1000)) o.t.push_back(static_cast<int>(t));
           });
  c.count("--steps-reverse", "network calls on the way back; must divide t* (default t*)", o.steps_reverse);
  c.choice("--forward", "one jump to abar, step by step, or no forward noise (default jump)", {"jump", "steps", "none"},
           o.forward);
  c.text("--sampler", "NAME",
         "ddpm | ddim | eta:X | reverse (= --forward none --sampler ddpm) | vpsde | vpode | dpm20 | dpmsolver[++]:"
         "order=1..3,method=multistep|singlestep,grid=time|logsnr,steps=N; default ddpm",
         o.sampler);
  c.choice("--clip", "predicted x0 clipped to [-1,1] (default x0 for ddpm, none for ddim and eta)",
           {"x0", "none", "straight-through"}, o.clip);
  c.choice("--variance", "ddpm noise: beta_t, the posterior variance, or the network's (default fixedlarge)",
           {"fixedlarge", "fixedsmall", "learned"}, o.variance);
  c.choice("--time-labels", "time told to the network by vpsde and vpode: 1000 t, as torchsde in float32, or 999 t (default index)",
           {"index", "torchsde-fp32", "continuous"}, o.labels);
  c.text("--respacing", "LIST", "keep fewer diffusion steps, as 250, ddim50 or 10,20; t* counts those", o.respacing);
  c.count("--image-size", "size of the images, where the network's is another: resampled bilinearly there and back", o.image_size);
  c.choice("--scale", "reverse-only: scale of the input (default none)", {"none", "sqrt_abar"}, o.scale);
}

void add_memory_flag(Command& c, PurifyFlags& o) {
  c.option("--memory", "SIZE|min|auto|max",
           "activations kept for the gradient instead of computed again, same bits: as few as possible, those of one network call (auto, the "
           "default), of all calls, or what fits into SIZE",
           [&o](const std::string& text, const std::string& flag) {
             if (text != "min" && text != "auto" && text != "max") parse_size(text, flag);
             o.memory = text;
           });
}

void add_noise_flags(Command& c, NoiseFlags& o) {
  c.group("Noise");
  c.integers("--seed", "seed of the noise (default 0)", o.seeds, 0, INT64_MAX);
  c.option("--noise-rng", "NAME", "torch-cuda | torch-cpu | native (default torch-cuda)",
           [&o](const std::string& text, const std::string&) {
             const bool unreduced = o.mode.unreduced;
             o.mode = parse_noise_mode(text);
             o.mode.unreduced = unreduced;
           });
  c.option("--seed-hash", "NAME", "paper | paper-unreduced (default paper)",
           [&o](const std::string& text, const std::string&) { o.mode.unreduced = parse_seed_hash(text); });
}

void add_noise_file_flags(Command& c, NoiseFlags& o) {
  c.integer("--first-index", "image j has index j + N in the noise keys (default 0)", o.first_index, 0,
            INT64_C(1) << 40);
  c.text("--noise", "FILE", "safetensors with noise.forward and noise.reverse; replaces --seed", o.file);
  c.text("--export-noise", "FILE", "write the noise of this run in the form that --noise reads", o.export_to);
}

namespace {

// The arithmetic that --math and --precision ask for on the current device.
MathMode math_mode(const CommonOptions& o) {
  const bool rounded = o.precision == "tf32" || o.precision == "bf16";
  if (rounded && (!o.fast || o.f64))
    fail(kUsage, "products are rounded in fast arithmetic and in float only", "--precision " + o.precision,
         o.f64 ? "use --real f32" : "add --math fast");
  if (!o.fast) return MathMode::Exact;
  if (current_device() == Device::Cpu && !rounded) return MathMode::Fast;
  if (o.f64) fail(kUsage, "fast arithmetic on a device is built for float", "--math fast", "use --real f32, or --math exact");
  if (o.precision == "fp32") return MathMode::Fast;
  return o.precision == "bf16" ? MathMode::Bf16 : MathMode::Tf32;
}

}  // namespace

std::string preset_list() {
  std::string text;
  for (const PurifyPreset& p : kPurifyPresets) {
    PurifyFlags o;
    take(p, o);
    text += std::string(p.name) + "\n    stands for: " + p.table + "\n    as flags:  ";
    const auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty() && value != "0") text += std::string(" ") + flag + " " + value;
    };
    add("--t", std::to_string(p.t));
    add("--forward", p.forward);
    add("--sampler", p.sampler);
    add("--variance", p.variance);
    add("--time-labels", p.labels);
    add("--image-size", std::to_string(p.image_size));
    text += "\n";
    if (p.t) text += "    means:      " + describe(purify_options(o, p.t)) + "\n";
  }
  return text;
}

void apply(const CommonOptions& o) {
  if (o.threads) set_thread_count(o.threads);
  if (!o.device.empty()) set_current_device(parse_device(o.device));
  set_current_math(math_mode(o));
  if (o.verbose && !o.quiet)
    std::fprintf(stderr, "purescope %s, %s on %s, math %s, %d threads\n", program_version().c_str(), o.f64 ? "f64" : "f32", device_name(current_device()).c_str(),
                 math_name(current_math()), thread_count());
}

PurifyOptions purify_options(const PurifyFlags& f, int t) {
  PurifyOptions o;
  o.t = t;
  o.steps_reverse = f.steps_reverse;
  parse_sampler(f.sampler, o);
  if (f.sampler == "reverse" && !f.forward.empty() && f.forward != "none")
    fail(kUsage, "--sampler reverse has no forward noise", "--forward " + f.forward,
         "use --sampler ddpm, or leave --forward out");
  if (f.forward == "jump") o.forward = ForwardKind::Jump;
  if (f.forward == "steps") o.forward = ForwardKind::Steps;
  if (f.forward == "none") o.forward = ForwardKind::None;
  if (!f.clip.empty()) o.clip = f.clip == "x0" ? Clip::X0 : f.clip == "none" ? Clip::None : Clip::StraightThrough;
  // A preset may name the variance for whichever of its samplers has one.
  if (!f.variance.empty() && f.preset.empty() && o.sampler != SamplerKind::Ddpm)
    fail(kUsage, "the noise of --sampler " + f.sampler + " has no variance to choose", "--variance " + f.variance,
         "use --sampler ddpm or reverse, or leave --variance out");
  if (f.variance == "fixedsmall") o.variance = Variance::FixedSmall;
  if (f.variance == "learned") o.variance = Variance::Learned;
  if (f.labels == "torchsde-fp32") o.labels = Labels::TorchsdeFp32;
  if (f.labels == "continuous") o.labels = Labels::Continuous;
  o.respacing = f.respacing;
  o.image_size = f.image_size;
  if (f.scale == "sqrt_abar") {
    if (o.forward != ForwardKind::None)
      fail(kUsage, "--scale sqrt_abar without reverse-only purification", "--scale",
           "add --forward none, or leave --scale out");
    o.scale = InputScale::SqrtAbar;
  }
  reverse_indices(o);  // refuses a t* that the steps do not divide
  return o;
}

}  // namespace purescope
