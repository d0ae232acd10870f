// The noise of purification: which numbers a draw gets, from its key alone. No state, no global generator: a value
// depends on (mode, seed, image, draw, phase, t) and its index, never on batch, order, threads or a resume point.
// Values are float32 in every build, for one image at a time.
//
// Modes. torch-cuda: what torch.randn_like gives on a CUDA device after torch.manual_seed(hash) (rng/torch_cuda.h);
// torch-cpu: the same on the CPU (rng/torch_cpu.h); native: rng/native.h. In the torch modes the generator is seeded
// afresh for each draw with
//   noise            hash(seed, image, 2t or 2t + 1)             draw 0, the fixed noise of the papers (eq. 23-24)
//                    that XOR the low 32 bits of mix(draw)       draw >= 1: EOT draws, test draws
//   attack start     hash(seed, image, 2^30 + restart)
//   compression rate hash(seed, image, 2^31 + draw)
// so that attack and defence never share a stream.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "rng/native.h"
#include "rng/seed_hash.h"
#include "rng/torch_cuda.h"

namespace purescope {

enum class NoiseRng : unsigned char { TorchCuda, TorchCpu, Native };

struct NoiseMode {
  NoiseRng rng = NoiseRng::TorchCuda;
  CudaLayout layout;        // torch-cuda only
  bool unreduced = false;   // --seed-hash paper-unreduced; no effect on native
  bool operator==(const NoiseMode&) const = default;
};

// "torch-cuda" (newest rule version), "torch-cuda-1", either followed by ":sm=80,threads=1536"; "torch-cpu"; "native".
// Anything else: exit 2.
NoiseMode parse_noise_mode(std::string_view text);
// The name recorded with results, with the rule version and any unusual layout; parse_noise_mode reads it back.
std::string to_string(const NoiseMode& mode);
// "paper" or "paper-unreduced", the value of NoiseMode::unreduced; anything else: exit 2.
bool parse_seed_hash(std::string_view text);
std::string seed_hash_name(const NoiseMode& mode);

struct NoiseKey {
  int64_t seed = 0;
  int64_t image = 0;   // position in the data source
  uint64_t draw = 0;   // 0: the fixed noise; eot_draw() or test_draw() for others
  Phase phase = Phase::Forward;
  int64_t t = 0;       // model step, 0-based
};

// Draw of EOT sample e (0 <= e < eot) in attack step `step`: 1 + step eot + e. Exit 2 from 2^31 on.
uint64_t eot_draw(int64_t step, int64_t eot, int64_t e);
// Draw of test sample m >= 0: 2^31 + m.
uint64_t test_draw(int64_t m);

// The value given to torch.manual_seed for the noise of this key.
uint64_t torch_seed(const NoiseKey& key, bool unreduced);

enum class Purpose : unsigned char { Noise, StartUniform, StartNormal, CrUniform };

// Where one draw begins: the value given to torch.manual_seed, or a native counter.
struct DrawKey { uint64_t torch = 0; NativeCounter native; };
// Standard normal values; else uniform ones in [0, 1).
bool is_normal(Purpose purpose);

// A record of draws, for audits. Thread-safe; the listing is sorted, so it does not depend on threads.
class NoiseLedger {
 public:
  struct Entry {
    NoiseKey key;  // for starts `draw` is the restart; phase and t are unused outside noise
    Purpose purpose;
    size_t count;
  };
  void record(const NoiseKey& key, Purpose purpose, size_t count);
  std::vector<Entry> entries() const;      // sorted by seed, image, purpose, draw, phase, t
  std::vector<std::string> lines() const;  // "seed=0 image=17 noise draw=0 reverse t=99 count=3072", same order

 private:
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

class NoiseStream {
 public:
  // `ledger` may be null; it must outlive the stream.
  explicit NoiseStream(NoiseMode mode, NoiseLedger* ledger = nullptr) : mode_(mode), ledger_(ledger) {}
  const NoiseMode& mode() const { return mode_; }

  // Standard normal noise of one image (count values, c h w order). All calls overwrite out[0..count).
  void normal(const NoiseKey& key, float* out, size_t count) const;
  // Any draw by its purpose; for a start key.draw is the restart, for the compression rate its draw. Values in [0, 1) or standard normal.
  void draw(Purpose purpose, const NoiseKey& key, float* out, size_t count) const;
  // What a generator elsewhere (ops/noise) needs to draw the same numbers; enters the draw in the ledger. Only the one that belongs to
  // mode() is set.
  DrawKey draw_key(Purpose purpose, const NoiseKey& key, size_t count) const;
  // Random start of an attack: values in [0, 1), or standard normal values. restart in [0, 2^30).
  void start_uniform(int64_t seed, int64_t image, int restart, float* out, size_t count) const;
  void start_normal(int64_t seed, int64_t image, int restart, float* out, size_t count) const;
  // Noise eta of the compression rate: values in [0, 1). draw >= 0.
  void cr_uniform(int64_t seed, int64_t image, int draw, float* out, size_t count) const;

 private:
  NoiseMode mode_;
  NoiseLedger* ledger_;
};

}  // namespace purescope
