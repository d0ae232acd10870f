// Where the noise of one purification of a batch comes from: keyed streams, or a file of recorded noise.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "diffusion/purify_options.h"
#include "rng/noise.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Standard normal noise for a whole batch, written where `out` lies. `t` is the network index of the step; the same call always gives the same values.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;
  // Noise of forward step t, or (kind Jump) of the one jump to t = t* - 1.
  virtual void forward(ForwardKind kind, int t, View out) = 0;
  virtual void reverse(int order, int t, View out) = 0;         // noise of the order-th reverse step executed, at network index t
};

// out_n = the draw of key(n) for this purpose (NoiseStream::draw), wherever `out` lies: drawn there, but for torch-cpu, whose sequential
// generator runs on the host.
void fill_draws(const NoiseStream& stream, Purpose purpose, const std::function<NoiseKey(int n)>& key, View out);

// Image j of the batch draws with key (seed, images[j], draw, phase, t + t_base): never from its place in the batch.
class KeyedNoise : public NoiseSource {
 public:
  KeyedNoise(const NoiseStream& stream, int64_t seed, std::vector<int64_t> images, uint64_t draw = 0, int t_base = 0)
      : stream_(stream), seed_(seed), images_(std::move(images)), draw_(draw), t_base_(t_base) {}
  void set_draw(uint64_t draw) { draw_ = draw; }
  void forward(ForwardKind, int t, View out) override { fill(Phase::Forward, t, out); }
  void reverse(int, int t, View out) override { fill(Phase::Reverse, t, out); }

 private:
  void fill(Phase phase, int t, View out) const;
  const NoiseStream& stream_;
  int64_t seed_;
  std::vector<int64_t> images_;
  uint64_t draw_;
  int t_base_;
};

// noise.forward [n,3,h,w] for a jump, [t,n,3,h,w] for single steps and noise.reverse [k,n,3,h,w] in execution order, from a safetensors file. What a sampler does
// not use may be absent; k may exceed the steps taken. Missing or mis-shaped: exit 65.
class FileNoise : public NoiseSource {
 public:
  explicit FileNoise(const std::string& path);
  ~FileNoise() override;
  void forward(ForwardKind kind, int t, View out) override;
  void reverse(int order, int t, View out) override;

 private:
  struct Tensors;
  std::unique_ptr<Tensors> tensors_;
};

// Passes noise through and remembers it, to be written in the form that FileNoise reads.
class RecordedNoise : public NoiseSource {
 public:
  explicit RecordedNoise(NoiseSource& source) : source_(source) {}
  void forward(ForwardKind kind, int t, View out) override;
  void reverse(int order, int t, View out) override;
  void write(const std::string& path) const;

 private:
  struct Draw { View shape; std::vector<float> values; };
  static Draw copy(View v);
  NoiseSource& source_;
  std::vector<Draw> forward_, reverse_;
  bool steps_ = false;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
