#include "rng/noise.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "core/check.h"
#include "core/hash.h"
#include "rng/native.h"
#include "rng/torch_cpu.h"

namespace purescope {

namespace {
constexpr uint64_t kStartStream = uint64_t{1} << 30, kCrStream = uint64_t{1} << 31, kTestDraws = uint64_t{1} << 31;

[[noreturn]] void unknown_mode(std::string_view text) {
  fail(kUsage, "unknown noise generator '" + std::string(text) + "'", "--noise-rng",
       "use torch-cuda, torch-cuda-1, torch-cuda:sm=80,threads=1536, torch-cpu or native");
}

// Reads "name=NUMBER" from the front of `rest`; the number is between `least` and 10^6.
int read_field(std::string_view text, std::string_view& rest, std::string_view name, int least) {
  int value = 0;
  if (!rest.starts_with(name)) unknown_mode(text);
  rest.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (error != std::errc() || value < least || value > 1000000) unknown_mode(text);
  rest.remove_prefix(static_cast<size_t>(end - rest.data()));
  return value;
}

Domain domain_of(Purpose purpose, Phase phase) {
  switch (purpose) {
    case Purpose::Noise: return phase == Phase::Forward ? Domain::Forward : Domain::Reverse;
    case Purpose::StartUniform: return Domain::StartUniform;
    case Purpose::StartNormal: return Domain::StartNormal;
    case Purpose::CrUniform: return Domain::CrUniform;
  }
  return Domain::Forward;
}

auto order(const NoiseLedger::Entry& e) {
  return std::tuple(e.key.seed, e.key.image, e.purpose, e.key.draw, e.key.phase, e.key.t, e.count);
}
}  // namespace

NoiseMode parse_noise_mode(std::string_view text) {
  if (text == "torch-cpu") return {NoiseRng::TorchCpu, {}, false};
  if (text == "native") return {NoiseRng::Native, {}, false};
  NoiseMode mode;
  std::string_view rest = text;
  if (!rest.starts_with("torch-cuda")) unknown_mode(text);
  rest.remove_prefix(std::string_view("torch-cuda").size());
  if (rest.starts_with("-1")) rest.remove_prefix(2);
  if (rest.empty()) return mode;
  mode.layout.sm = read_field(text, rest, ":sm=", 1);
  mode.layout.threads = read_field(text, rest, ",threads=", 256);
  if (!rest.empty()) unknown_mode(text);
  return mode;
}

std::string to_string(const NoiseMode& mode) {
  if (mode.rng == NoiseRng::TorchCpu) return "torch-cpu";
  if (mode.rng == NoiseRng::Native) return "native";
  if (mode.layout == CudaLayout{}) return "torch-cuda-1";
  return "torch-cuda-1:sm=" + std::to_string(mode.layout.sm) + ",threads=" + std::to_string(mode.layout.threads);
}

bool parse_seed_hash(std::string_view text) {
  if (text != "paper" && text != "paper-unreduced")
    fail(kUsage, "unknown seed hash '" + std::string(text) + "'", "--seed-hash", "use paper or paper-unreduced");
  return text == "paper-unreduced";
}

std::string seed_hash_name(const NoiseMode& mode) { return mode.unreduced ? "paper-unreduced" : "paper"; }

uint64_t eot_draw(int64_t step, int64_t eot, int64_t e) {
  PURESCOPE_REQUIRE(step >= 0 && e >= 0 && e < eot);
  const auto limit = static_cast<int64_t>(kTestDraws);
  if (step > (limit - 2 - e) / eot)
    fail(kUsage, "too many EOT draws",
         "attack step " + std::to_string(step) + " of " + std::to_string(eot) + " samples",
         "use fewer attack steps or EOT samples (their product must stay below 2^31)");
  return static_cast<uint64_t>(1 + step * eot + e);
}

uint64_t test_draw(int64_t m) {
  PURESCOPE_REQUIRE(m >= 0);
  return kTestDraws + static_cast<uint64_t>(m);
}

uint64_t torch_seed(const NoiseKey& key, bool unreduced) {
  const int64_t k = noise_k(key.phase, key.t);
  const uint64_t seed = unreduced ? seed_hash_unreduced(key.seed, key.image, k) : seed_hash(key.seed, key.image, k);
  return key.draw == 0 ? seed : seed ^ static_cast<uint32_t>(mix(key.draw));
}

bool is_normal(Purpose purpose) { return purpose == Purpose::Noise || purpose == Purpose::StartNormal; }

void NoiseLedger::record(const NoiseKey& key, Purpose purpose, size_t count) {
  const std::lock_guard lock(mutex_);
  entries_.push_back({key, purpose, count});
}

std::vector<NoiseLedger::Entry> NoiseLedger::entries() const {
  std::vector<Entry> sorted;
  {
    const std::lock_guard lock(mutex_);
    sorted = entries_;
  }
  std::sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) { return order(a) < order(b); });
  return sorted;
}

std::vector<std::string> NoiseLedger::lines() const {
  static constexpr const char* kNames[] = {"noise", "start-uniform", "start-normal", "compression-rate"};
  std::vector<std::string> lines;
  for (const Entry& e : entries()) {
    std::string line = "seed=" + std::to_string(e.key.seed) + " image=" + std::to_string(e.key.image) + " " +
                       kNames[static_cast<int>(e.purpose)] + " draw=" + std::to_string(e.key.draw);
    if (e.purpose == Purpose::Noise)
      line += std::string(e.key.phase == Phase::Forward ? " forward" : " reverse") + " t=" + std::to_string(e.key.t);
    lines.push_back(line + " count=" + std::to_string(e.count));
  }
  return lines;
}

DrawKey NoiseStream::draw_key(Purpose purpose, const NoiseKey& key, size_t count) const {
  const bool start = purpose == Purpose::StartUniform || purpose == Purpose::StartNormal;
  PURESCOPE_REQUIRE(!start || key.draw < kStartStream);
  if (ledger_ != nullptr) ledger_->record(key, purpose, count);
  if (mode_.rng != NoiseRng::Native) {
    if (purpose == Purpose::Noise) return {torch_seed(key, mode_.unreduced), {}};
    const auto k = static_cast<int64_t>((start ? kStartStream : kCrStream) + key.draw);
    return {mode_.unreduced ? seed_hash_unreduced(key.seed, key.image, k) : seed_hash(key.seed, key.image, k), {}};
  }
  return {0, native_counter(key.seed, domain_of(purpose, key.phase), key.image, key.draw, purpose == Purpose::Noise ? key.t : 0)};
}

void NoiseStream::draw(Purpose purpose, const NoiseKey& key, float* out, size_t count) const {
  const DrawKey from = draw_key(purpose, key, count);
  const bool normal = is_normal(purpose);
  if (mode_.rng == NoiseRng::Native) return normal ? native_normal(from.native, out, count) : native_uniform(from.native, out, count);
  if (mode_.rng == NoiseRng::TorchCpu) {
    TorchCpuGenerator generator(from.torch);
    return normal ? generator.randn(out, count) : generator.rand(out, count);
  }
  TorchCudaGenerator generator(from.torch, mode_.layout);
  normal ? generator.randn(out, count) : generator.rand(out, count);
}

void NoiseStream::normal(const NoiseKey& key, float* out, size_t count) const { draw(Purpose::Noise, key, out, count); }

void NoiseStream::start_uniform(int64_t seed, int64_t image, int restart, float* out, size_t count) const {
  PURESCOPE_REQUIRE(restart >= 0);
  draw(Purpose::StartUniform, {seed, image, static_cast<uint64_t>(restart), Phase::Forward, 0}, out, count);
}

void NoiseStream::start_normal(int64_t seed, int64_t image, int restart, float* out, size_t count) const {
  PURESCOPE_REQUIRE(restart >= 0);
  draw(Purpose::StartNormal, {seed, image, static_cast<uint64_t>(restart), Phase::Forward, 0}, out, count);
}

void NoiseStream::cr_uniform(int64_t seed, int64_t image, int draw_number, float* out, size_t count) const {
  PURESCOPE_REQUIRE(draw_number >= 0);
  draw(Purpose::CrUniform, {seed, image, static_cast<uint64_t>(draw_number), Phase::Forward, 0}, out, count);
}

}  // namespace purescope
