#include <unistd.h>

#include "cli/attack_state.h"
#include "core/check.h"
#include "io/safetensors.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr Dtype kReal = sizeof(real) == 8 ? Dtype::F64 : Dtype::F32;

// One image's bookkeeping as six doubles.
std::vector<double> pack(const std::vector<PgdImage>& images) {
  std::vector<double> values;
  for (const PgdImage& i : images)
    values.insert(values.end(), {i.loss_start, i.loss_last, i.adversarial_on_path ? 1.0 : 0.0, i.grad_zero, i.not_finite ? 1.0 : 0.0});
  return values;
}

std::vector<PgdImage> unpack(const std::vector<double>& v) {
  std::vector<PgdImage> images;
  for (size_t i = 0; i + 5 <= v.size(); i += 5) images.push_back({v[i], v[i + 1], v[i + 2] != 0, v[i + 3], v[i + 4] != 0});
  return images;
}

template <class T>
std::vector<T> read(const Safetensors& file, const std::string& name) {
  const TensorInfo* info = file.find(name);
  if (!info) fail(kBadInput, "the state lacks " + name, file.path(), "remove the file to attack this image again from the start");
  std::vector<T> values(info->count());
  file.read(*info, values.data());
  return values;
}

}  // namespace

void save_checkpoint(const std::string& path, const std::string& key, const PgdCheckpoint& c) {
  const std::vector<double> images = pack(c.images), results = pack(c.result_images), zeros(c.zeros.begin(), c.zeros.end()), done(c.done.begin(), c.done.end());
  std::vector<TensorOut> tensors;
  auto add = [&](const char* name, Dtype dtype, size_t count, const void* data) {
    tensors.push_back({name, dtype, {static_cast<int64_t>(count)}, data});
  };
  add("x", kReal, c.x.size(), c.x.data());
  add("best", kReal, c.best.size(), c.best.data());
  add("result", kReal, c.result.size(), c.result.data());
  add("best_loss", Dtype::F64, c.best_loss.size(), c.best_loss.data());
  add("images", Dtype::F64, images.size(), images.data());
  add("result_images", Dtype::F64, results.size(), results.data());
  add("zeros", Dtype::F64, zeros.size(), zeros.data());
  add("done", Dtype::F64, done.size(), done.data());
  write_safetensors(path, tensors, {{"key", key}, {"restart", std::to_string(c.restart)}, {"step", std::to_string(c.step)}});
}

bool load_checkpoint(const std::string& path, const std::string& key, PgdCheckpoint& c) {
  if (access(path.c_str(), F_OK) != 0) return false;
  const Safetensors file(path);
  const auto found = file.metadata().find("key");
  if (found == file.metadata().end() || found->second != key) return false;
  c.x = read<real>(file, "x");
  c.best = read<real>(file, "best");
  c.result = read<real>(file, "result");
  c.best_loss = read<double>(file, "best_loss");
  c.images = unpack(read<double>(file, "images"));
  c.result_images = unpack(read<double>(file, "result_images"));
  for (double z : read<double>(file, "zeros")) c.zeros.push_back(static_cast<size_t>(z));
  for (double d : read<double>(file, "done")) c.done.push_back(d != 0);
  c.restart = std::stoi(file.metadata().at("restart"));
  c.step = std::stoi(file.metadata().at("step"));
  c.set = true;
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
