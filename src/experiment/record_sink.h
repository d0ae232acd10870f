// Where measured records go. The commands give one made of their run directory (cli/run_sink.h), tests one in memory.
#pragma once
#include <string>
#include <vector>

#include "attack/attack_task.h"
#include "report/attack_table.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual const RunFacts& facts() const = 0;
  virtual std::string folder() const = 0;                    // for messages, and for pictures
  virtual bool wants(const RecordId& id) const = 0;          // it is not there yet
  virtual void put(const RecordId& id, const std::string& line) = 0;
  // Adversarial images [c, h, w] by record; empty if there is none.
  virtual void save_image(const RecordId& id, const std::vector<float>& image, int channels, int height, int width) = 0;
  virtual std::vector<float> load_image(const RecordId& id) const = 0;
  // A stopped attack on these images, to go on with.
  virtual void load_state(const std::string& key, const std::vector<int64_t>& ids, AttackCheckpoint& checkpoint) const = 0;
  virtual void save_state(const std::string& key, const std::vector<int64_t>& ids, const AttackCheckpoint& checkpoint) = 0;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
