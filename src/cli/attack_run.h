// The run directory of attack, cr and predict: what is recorded, what is still missing, what stands in it at the end. No scalar type in
// here but the checkpoint's, which passes through.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cli/options.h"
#include "data/dataset.h"
#include "io/journal.h"
#include "io/npy.h"
#include "io/run_dir.h"
#include "report/attack_table.h"

namespace purescope {

const char* kind_name(RunKind kind);   // attack | cr | predict

// --data, -n and --subset; -n not given: 100, or all if there are fewer.
Dataset load_run_data(const AttackOptions& options);

// Where a run computes, for its header.
std::string device_json();
// The same as configuration, which the hash of a run is made of. Other devices sum in other orders: their records do not mix with those of the
// CPU, whose runs say nothing.
void add_device(std::vector<ConfigEntry>& config);

struct ClassifierShape { int height, width, classes; };
// The data must fit the classifier (exit 65).
void check_run(const AttackOptions& options, const Dataset& data, const ClassifierShape& shape);

// What a command that shares the run directory of attack says differently.
struct SinkPlan {
  std::string command;                  // its name, in the header and in the name of the folder
  std::vector<ConfigEntry> extra;       // further configuration; an entry takes the place of the one with its key
  std::function<std::string(const std::vector<std::string>& records, bool json)> table;   // of the records, to stdout; JSON: an array
  std::vector<std::string> purification = {};   // the chains in words; empty: those of the options
};

// Where records go: into the journal of a run directory, or (verify) into a comparison with the records of an earlier run.
class RunSink {
 public:
  RunSink(const AttackOptions& options, const Dataset& data, const std::string& purifier_sha, const std::string& classifier_sha,
          const std::string& purifier_arch, const std::string& classifier_arch, const std::string& scalar, SinkPlan plan = {});

  const RunFacts& facts() const { return facts_; }
  bool verifying() const { return !options_.verify_run.empty(); }
  const std::string& folder() const { return folder_; }
  int count() const;                             // records that are there already
  const std::vector<std::string>& records() const;   // their lines
  bool wants(const RecordId& id) const;          // it is missing (verify: it is one to compute again)
  void put(const RecordId& id, const std::string& line);

  void save_adversarial(const RecordId& id, const AttackRecord& record, int channels, int height, int width) const;
  // The gradient of one draw [channels, height, width], of type real: gradients/IMAGE.sSEED.tT.eEPS.RAND.stepNNNNN.drawNN.npy.
  template <class Real>
  void save_gradient(const RecordId& id, int64_t step, int draw, int channels, int height, int width, const Real* values) const {
    if (!verifying()) write_npy(gradient_path(id, step, draw), {channels, height, width}, values);
  }
  std::vector<float> load_adversarial(const RecordId& id) const;   // empty if there is none
  template <class Checkpoint>
  void load_state(const std::string& key, const std::vector<int64_t>& ids, Checkpoint& checkpoint) const {
    if (!verifying()) load_checkpoint(state_path(), state_key(key, ids), checkpoint);
  }
  template <class Checkpoint>
  void save_state(const std::string& key, const std::vector<int64_t>& ids, const Checkpoint& checkpoint) {
    if (verifying() || !checkpoint.set) return;
    make_state_folder();
    save_checkpoint(state_path(), state_key(key, ids), checkpoint);
  }

  int finish();    // the table to stdout, summary.json; kOk, or kNegative where verify found a difference
  int stopped();   // says how to go on; kStopped

 private:
  std::string adversarial_path(const RecordId& id) const;
  std::string gradient_path(const RecordId& id, int64_t step, int draw) const;   // makes the folder
  std::string state_path() const { return folder_ + "/state/attack.safetensors"; }
  std::string state_key(const std::string& key, const std::vector<int64_t>& ids) const;
  void make_state_folder() const;
  std::string name() const { return plan_.command.empty() ? kind_name(options_.kind) : plan_.command; }
  const AttackOptions& options_;
  SinkPlan plan_;
  RunFacts facts_;
  std::string folder_;
  std::unique_ptr<RunDir> dir_;
  std::unique_ptr<Journal> journal_;
  std::unordered_set<std::string> old_lines_;   // verify: the records without their checksums
  std::vector<std::string> differences_;
  std::vector<int64_t> sample_;
  int compared_ = 0;
};

}  // namespace purescope
