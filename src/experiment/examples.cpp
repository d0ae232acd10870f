// examples: the picture of clean, adversarial and purified images.
#include "experiment/measure.h"
#include "io/image_grid.h"
#include "report/experiment_list.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

void write_examples(Workbench& w, const std::vector<ExperimentUnit>& units, const std::vector<std::string>& records, const std::string& path) {
  std::vector<JsonObject> parsed;
  for (const std::string& line : records) parsed.push_back(JsonObject::parse(line, "results"));
  const std::vector<int64_t> images = example_images(parsed);
  if (images.empty()) return;
  ImageGrid grid(static_cast<int>(images.size()), 4, w.data.height, w.data.width, std::max(1, 96 / w.data.height));
  grid.set_headings({"clean", "adversarial", "purified", "adv purified"});
  const ExperimentUnit& u = units.front();
  for (size_t row = 0; row < images.size(); ++row) {
    const ExperimentBatch b = w.make_batch({static_cast<int>(images[row] - w.first)});
    RecordId id = u.id;
    id.image = images[row];
    const std::vector<float> adversarial = w.sink.load_image(id);
    grid.set(static_cast<int>(row), 0, w.data.image(static_cast<int>(images[row] - w.first)));
    const auto purified = [&](View x) { return to_host(w.robustness(u.sampler, u.id.t).purified(u.id.t, u.id.seed, x, b.ids).view()); };
    grid.set(static_cast<int>(row), 2, purified(b.x.view()).data());
    if (adversarial.size() != w.data.image_size()) continue;
    grid.set(static_cast<int>(row), 1, adversarial.data());
    Buffer host(1, w.data.channels, w.data.height, w.data.width, Device::Cpu);
    std::copy(adversarial.begin(), adversarial.end(), host.data());
    grid.set(static_cast<int>(row), 3, purified(on_device(std::move(host)).view()).data());
  }
  grid.write(path);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
