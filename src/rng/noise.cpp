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
constexpr int64_t kStartStream = int64_t{1} << 30, kCrStream = int64_t{1} << 31;
constexpr uint64_t kTestDraws = uint64_t{1} << 31;

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

uint64_t NoiseStream::stream_seed(int64_t seed, int64_t image, int64_t k) const {
  return mode_.unreduced ? seed_hash_unreduced(seed, image, k) : seed_hash(seed, image, k);
}

void NoiseStream::torch_uniform(uint64_t seed, float* out, size_t count) const {
  if (mode_.rng == NoiseRng::TorchCpu) return TorchCpuGenerator(seed).rand(out, count);
  TorchCudaGenerator(seed, mode_.layout).rand(out, count);
}

void NoiseStream::torch_normal(uint64_t seed, float* out, size_t count) const {
  if (mode_.rng == NoiseRng::TorchCpu) return TorchCpuGenerator(seed).randn(out, count);
  TorchCudaGenerator(seed, mode_.layout).randn(out, count);
}

void NoiseStream::normal(const NoiseKey& key, float* out, size_t count) const {
  record(key, count);
  if (mode_.rng != NoiseRng::Native) return torch_normal(torch_seed(key, mode_.unreduced), out, count);
  native_normal(native_noise(key), out, count);
}

NativeCounter NoiseStream::native_noise(const NoiseKey& key) {
  const Domain domain = key.phase == Phase::Forward ? Domain::Forward : Domain::Reverse;
  return native_counter(key.seed, domain, key.image, key.draw, key.t);
}

void NoiseStream::record(const NoiseKey& key, size_t count) const {
  if (ledger_ != nullptr) ledger_->record(key, Purpose::Noise, count);
}

void NoiseStream::start_uniform(int64_t seed, int64_t image, int restart, float* out, size_t count) const {
  PURESCOPE_REQUIRE(restart >= 0 && restart < kStartStream);
  const auto draw = static_cast<uint64_t>(restart);
  if (ledger_ != nullptr) ledger_->record({seed, image, draw, Phase::Forward, 0}, Purpose::StartUniform, count);
  if (mode_.rng != NoiseRng::Native) return torch_uniform(stream_seed(seed, image, kStartStream + restart), out, count);
  native_uniform(native_counter(seed, Domain::StartUniform, image, draw, 0), out, count);
}

void NoiseStream::start_normal(int64_t seed, int64_t image, int restart, float* out, size_t count) const {
  PURESCOPE_REQUIRE(restart >= 0 && restart < kStartStream);
  const auto draw = static_cast<uint64_t>(restart);
  if (ledger_ != nullptr) ledger_->record({seed, image, draw, Phase::Forward, 0}, Purpose::StartNormal, count);
  if (mode_.rng != NoiseRng::Native) return torch_normal(stream_seed(seed, image, kStartStream + restart), out, count);
  native_normal(native_counter(seed, Domain::StartNormal, image, draw, 0), out, count);
}

void NoiseStream::cr_uniform(int64_t seed, int64_t image, int draw, float* out, size_t count) const {
  PURESCOPE_REQUIRE(draw >= 0);
  const auto d = static_cast<uint64_t>(draw);
  if (ledger_ != nullptr) ledger_->record({seed, image, d, Phase::Forward, 0}, Purpose::CrUniform, count);
  if (mode_.rng != NoiseRng::Native) return torch_uniform(stream_seed(seed, image, kCrStream + draw), out, count);
  native_uniform(native_counter(seed, Domain::CrUniform, image, d, 0), out, count);
}

}  // namespace purescope
