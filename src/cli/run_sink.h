// A run directory as the sink of measured records. Compiled twice.
#pragma once
#include <string>
#include <vector>

#include "cli/attack_run.h"
#include "cli/attack_state.h"
#include "experiment/record_sink.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class RunRecordSink : public RecordSink {
 public:
  explicit RunRecordSink(RunSink& sink) : sink_(sink), facts_(sink.facts()) {}
  const RunFacts& facts() const override { return facts_; }
  std::string folder() const override { return sink_.folder(); }
  bool wants(const RecordId& id) const override { return sink_.wants(id); }
  void put(const RecordId& id, const std::string& line) override { sink_.put(id, line); }
  void save_image(const RecordId& id, const std::vector<float>& image, int channels, int height, int width) override {
    AttackRecord r;
    r.image = id.image;
    r.adversarial = image;
    sink_.save_adversarial(id, r, channels, height, width);
  }
  std::vector<float> load_image(const RecordId& id) const override { return sink_.load_adversarial(id); }
  void load_state(const std::string& key, const std::vector<int64_t>& ids, AttackCheckpoint& c) const override { sink_.load_state(key, ids, c); }
  void save_state(const std::string& key, const std::vector<int64_t>& ids, const AttackCheckpoint& c) override { sink_.save_state(key, ids, c); }

 private:
  RunSink& sink_;
  RunFacts facts_;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
