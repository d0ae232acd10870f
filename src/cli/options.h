// What each command is told, filled in by cli/parse_*.cpp. No scalar type in here: the same options go to the float and
// the double program.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "analysis/robustness_options.h"
#include "diffusion/purify_options.h"
#include "rng/noise.h"
#include "train/train_options.h"

namespace purescope {

constexpr int kAutoBatch = -1;  // --batch auto

struct CommonOptions {
  bool f64 = false;      // --real
  bool fast = false;      // --math fast
  std::string precision;  // --precision, empty: default
  std::string device;    // --device, empty: default
  int threads = 0;       // --threads, 0: default
  bool quiet = false;    // -q: no messages but warnings and errors
  bool verbose = false;  // -v
  bool json = false;     // --json, where the command has it
  bool strict = false;   // --strict: NaN or infinity in weights or inputs is an error, not a warning
  bool force = false;    // --force: beyond t_max, onto existing outputs
};

// A network: a safetensors file, a bundled name, or "formula" (weights made by formula, for tests); arch overrides the
// file's own.
struct NetworkChoice {
  std::string weights, arch;
  std::string weights_flag, arch_flag;  // how the user names them, for messages
};

// The flags of every command that purifies; purify_options() makes the options of one t* out of them.
struct PurifyFlags {
  std::vector<int> t = {100};
  int steps_reverse = 0;
  std::string sampler = "ddpm";
  std::string forward, clip, variance, scale, labels;  // empty: the sampler's default
  std::string respacing, preset;                       // preset: the name given, for what else it implies
  int image_size = 0;
  std::string memory = "auto";                 // min | auto | max | SIZE: how much activation memory a gradient may keep
};

// Where the noise comes from.
struct NoiseFlags {
  std::vector<int64_t> seeds = {0};
  NoiseMode mode;
  int64_t first_index = 0;      // image j of an array has index j + first_index
  std::string file, export_to;  // --noise, --export-noise
};

// `flags` for one t*, checked (exit 2).
PurifyOptions purify_options(const PurifyFlags& flags, int t);

struct ForwardOptions {
  CommonOptions common;
  NetworkChoice net;
  std::string input, output, cotangent, dparams, dump;
  std::vector<int64_t> t;  // one for all images, or one each
  int batch = 8;           // images per pass
  std::string memory = "auto";   // min | auto
};

struct PurifyRunOptions {  // purify and gradient
  CommonOptions common;
  NetworkChoice purifier, classifier;
  PurifyFlags purify;
  NoiseFlags noise;
  std::string input, output, trail, purified, labels;
  int batch = 8;
};

struct ExplainOptions {
  CommonOptions common;
  std::string arch;
  std::string mode = "input-grad";  // forward | input-grad | training
  std::string memory = "auto";      // min | auto
  int steps_reverse = 0;            // > 0: also the forecast for a gradient through that many reverse steps
  int batch = 1;
};

struct BenchOptions {
  CommonOptions common;
  std::string arch;
  std::string pass = "gradient";  // forward | gradient | training
  int batch = 1, warm_up = 2, repeats = 5;
};

struct CompareOptions {
  CommonOptions common;
  NetworkChoice net;
  std::string a, b;   // f32 | f64 | exact | fast | FILE of forward --dump
  std::string input;  // empty: formula values
  std::vector<int64_t> t;
  double tolerance = -1;  // < 0: by the pair
};

// attack, cr and predict: one runner, three choices of what to record.
enum class RunKind { Attack, Cr, Predict };

struct AttackOptions {
  RunKind kind = RunKind::Attack;
  CommonOptions common;
  NetworkChoice purifier, classifier;
  PurifyFlags purify;
  NoiseFlags noise;
  RobustnessOptions run;             // t, seeds and the purifier's options are filled in from the flags
  std::string data = "shapes";
  int64_t count = -1, first = 0;     // -n (-1: 100, or all if fewer), --subset
  int batch = 0;                     // 0: 8 images, fewer for large networks; kAutoBatch: as many as fit
  std::string out;                   // run directory; empty: runs/KIND-HASH8
  bool resume = false, repair = false, force_mixed = false, save_adv = false, save_gradients = false;
  bool only_fixed = false, only_free = false, transfer = false;   // --fix-random, --no-fix-random, --test-seed given
  std::vector<std::string> command_line;   // recorded in the header, so that `verify` can repeat it
  std::string verify_run;            // not empty: compare with the records of this run instead of writing one
  int sample = 3;                    // images to compute again for verify
};

struct ConvertOptions {
  CommonOptions common;
  std::string input, output, arch, take = "auto";
  std::string dtype = "keep";  // keep | f16 | bf16 | f32 | f64: of floating-point tensors
  bool raw = false, force = false;
};

}  // namespace purescope
