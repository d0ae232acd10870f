// convert: a PyTorch checkpoint (or a safetensors file) to a safetensors file with the keys that the networks use.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "cli/commands.h"
#include "core/check.h"
#include "core/hash.h"
#include "io/checkpoint_keys.h"
#include "io/fraction.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "models/zoo.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

// Averaged weights that score-SDE stores as a list without names, ema.shadow_params.0, 1, ...: entry i belongs to the i-th trainable
// parameter of the model. Says whether there was such a list.
bool name_averages(const Model& model, Checkpoint& c) {
  const std::string prefix = "ema.shadow_params.";
  std::vector<const ParamInfo*> trainable;
  for (const ParamInfo& p : model.params)
    if (p.trainable) trainable.push_back(&p);
  bool found = false;
  for (CheckpointTensor& t : c.tensors) {
    if (!t.name.starts_with(prefix)) continue;
    const int64_t index = parse_int(t.name.substr(prefix.size()), c.path + ", " + printable(t.name), 0, 1 << 20);
    if (index < static_cast<int64_t>(trainable.size())) t.name = trainable[index]->key;
    found = true;
  }
  return found;
}

// RobustBench's wrappers store what they normalise with. The model does the same inside, so these tensors are not used: but if they
// hold other constants, the weights belong to another network. Empty: they fit.
std::string other_normalisation(const Model& model, const CheckpointTensor& t) {
  const bool mean = t.name == "normalize.mean";
  const auto step = std::find_if(model.steps.begin(), model.steps.end(), [](const Step& s) { return s.op == Op::Normalize; });
  if ((!mean && t.name != "normalize.std") || step == model.steps.end()) return "";
  if (t.count() != 3 || !dtype_is_float(t.dtype)) return t.name + " " + shape_text(t.shape) + " is not three numbers";
  double values[3];
  convert(t.dtype, t.bytes().data(), 3, values, t.name);
  const float* wanted = mean ? step->normalize.mean : step->normalize.std;
  for (int c = 0; c < 3; ++c)
    if (!(std::fabs(values[c] - wanted[c]) <= 1e-3)) {   // 16-bit files hold them to 2e-4 (F16), 2e-3 (BF16) of their value
      char text[128];
      std::snprintf(text, sizeof(text), "%s is %.6g in channel %d, the architecture normalises with %.6g", t.name.c_str(), values[c], c, wanted[c]);
      return text;
    }
  return "";
}

// Every difference between the keys and the architecture, at once (exit 65).
void check_against(const Model& model, const Checkpoint& c) {
  std::map<std::string, const CheckpointTensor*> have;
  for (const CheckpointTensor& t : c.tensors) have[t.name] = &t;
  std::vector<std::string> problems;
  for (const ParamInfo& p : model.params) {
    const auto t = have.find(p.key);
    if (t == have.end()) {
      problems.push_back("missing " + p.key + " " + shape_text(p.shape));
      continue;
    }
    if (t->second->shape != p.shape)
      problems.push_back(p.key + " has shape " + shape_text(t->second->shape) + ", expected " + shape_text(p.shape));
    else if (!dtype_is_float(t->second->dtype))
      problems.push_back(p.key + " has type " + dtype_name(t->second->dtype) + ", expected a floating-point type");
    have.erase(t);
  }
  for (const auto& [name, tensor] : have) {
    const auto ignored = [&](const std::string& suffix) { return name.ends_with(suffix); };
    if (const std::string problem = other_normalisation(model, *tensor); !problem.empty()) problems.push_back(problem);
    if (std::any_of(model.ignored_suffixes.begin(), model.ignored_suffixes.end(), ignored)) continue;
    problems.push_back("unexpected " + printable(name) + " " + shape_text(tensor->shape));
  }
  if (problems.empty()) return;
  std::string text = "the checkpoint does not fit " + model.arch + ": " + std::to_string(problems.size()) + " problem" +
                     (problems.size() > 1 ? "s" : "");
  for (const std::string& p : problems) text += "\n    " + p;
  fail(kBadInput, text, c.path, "name the right architecture, or choose a part of the file with --take");
}

Dtype stored_type(Dtype from, const std::string& dtype) {
  if (dtype == "keep" || !dtype_is_float(from)) return from;
  return dtype == "f16" ? Dtype::F16 : dtype == "bf16" ? Dtype::BF16 : dtype == "f32" ? Dtype::F32 : Dtype::F64;
}

// Whether a change of type may change values. Half and bfloat16 hold different numbers.
bool rounds(Dtype from, Dtype to) { return from != to && dtype_bits(from) >= dtype_bits(to); }

// One tensor of the output, made when it is written. Finite values stay finite (65); values that become 0 are added to *to_zero.
TensorOut tensor_out(const CheckpointTensor& t, Dtype to, const std::string& path, size_t* to_zero) {
  if (to == t.dtype) return {t.name, t.dtype, t.shape, nullptr, [&t] { return t.bytes(); }};
  return {t.name, to, t.shape, nullptr, [&t, to, path, to_zero] {
            const std::vector<unsigned char> from = t.bytes();
            std::vector<unsigned char> bytes(t.count() * dtype_bits(to) / 8);
            const Rounding seen = round_to(t.dtype, from.data(), t.count(), to, bytes.data(), path);
            *to_zero += seen.to_zero;
            if (seen.to_infinity == 0) return bytes;
            char value[64];
            std::snprintf(value, sizeof(value), "%.9g at index %zu", seen.value, seen.first);
            const std::string type = dtype_name(to), others = seen.to_infinity > 1 ? ", and others," : "";
            fail(kBadInput, printable(t.name) + " holds " + value + others + " which " + type + " would make infinite", path,
                 to == Dtype::F16 ? "use --dtype bf16, which reaches as far as f32, or keep the type" : "keep the type of the file");
          }};
}

void check_finite(const Checkpoint& c, bool strict) {
  for (const CheckpointTensor& t : c.tensors) {
    const size_t bad = dtype_is_float(t.dtype) ? count_nonfinite(t.dtype, t.bytes().data(), t.count(), c.path) : 0;
    if (!bad) continue;
    const std::string what = printable(t.name) + " holds " + std::to_string(bad) + " NaN or infinite values";
    if (strict) fail(kBadInput, what, c.path, "--strict refuses such values; use a sound file");
    std::fprintf(stderr, "warning: %s\n  in %s\n", what.c_str(), c.path.c_str());
  }
}

std::string type_summary(const std::vector<TensorOut>& tensors) {
  std::map<std::string, size_t> count;
  for (const TensorOut& t : tensors) ++count[dtype_name(t.dtype)];
  std::string text;
  for (const auto& [name, n] : count) text += (text.empty() ? "" : ", ") + std::to_string(n) + " " + name;
  return text;
}

}  // namespace

int run_convert(const ConvertOptions& o) {
  if (o.raw && o.take != "auto")
    fail(kUsage, "--raw and --take exclude each other", "purescope convert", "leave one out");
  if (o.raw && !o.arch.empty())
    fail(kUsage, "--raw and --arch exclude each other", "purescope convert",
         "an architecture needs clean keys; leave --raw out");
  std::error_code ignored;
  if (std::filesystem::exists(o.output, ignored) && !o.force)
    fail(kCannotCreate, "the output exists", o.output, "choose another name, or add --force to replace it");
  std::map<std::string, std::string> metadata;
  Checkpoint c = read_checkpoint(o.input, metadata);
  const std::string container = c.container;
  const KeyChoice choice = clean_keys(c, o.raw ? "none" : o.take);
  if (!o.arch.empty()) {
    const Model model = make_model(o.arch);
    if (name_averages(model, c) && !o.common.quiet)
      std::fprintf(stderr, "averaged weights without names: named in the order of the architecture's parameters\n");
    check_against(model, c);
    metadata["arch"] = model.arch;
  }
  check_finite(c, o.common.strict);
  metadata["source_sha256"] = sha256_file(o.input);
  std::vector<TensorOut> tensors;
  size_t to_zero = 0;
  bool rounded = false;
  for (const CheckpointTensor& t : c.tensors) {
    const Dtype to = stored_type(t.dtype, o.dtype);
    rounded |= rounds(t.dtype, to);
    tensors.push_back(tensor_out(t, to, c.path, &to_zero));
  }
  if (rounded) {
    std::string& note = metadata["rounded_to"];  // may hold an earlier rounding, which stays true
    note += (note.empty() ? "" : ", then ") + o.dtype + " (to nearest, ties to even)";
  }
  write_safetensors(o.output, tensors, metadata);
  if (o.common.quiet) return kOk;
  std::fprintf(stderr, "%s (%s): %s\ntypes %s: %s\n", o.input.c_str(), container.c_str(), choice.text().c_str(),
               o.dtype == "keep" ? "kept" : "made one", type_summary(tensors).c_str());
  if (rounded) std::fprintf(stderr, "values rounded to %s; %zu that were not 0 became 0\n", o.dtype.c_str(), to_zero);
  if (!o.arch.empty()) std::fprintf(stderr, "all keys fit %s\n", metadata["arch"].c_str());
  return kOk;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
