// Flags of the commands that attack or measure images: attack, cr, predict, protocol, experiment, audit.
#pragma once
#include "cli/flags.h"
#include "cli/options.h"
#include "io/fraction.h"

namespace purescope {

// -d/--data, -n, --subset. Options: anything with data, count and first; `otherwise`: how many images without -n, for the help.
template <class Options>
void add_data_flags(Command& c, Options& o, const std::string& otherwise = "100, or all if there are fewer") {
  c.group("Images");
  c.text("-d,--data", "SOURCE", "shapes[:SEED], cifar10:FILE.bin or folder, folder:DIR[,LIST][,Res256Crop224] (LIST: lines CLASS/FILE; for a flat folder FILE LABEL or LABEL, 0 to 999 in the order of the sorted synsets, not the ids of ImageNet's development kit), npy:X.npy,LABELS.npy (default shapes)", o.data);
  c.option("-n,--n-images", "N", "how many (default " + otherwise + ")",
           [&o](const std::string& text, const std::string& flag) { o.count = parse_count(text, flag); });
  c.option("--subset", "A:B", "images A to B - 1 of the source; their noise is that of the full run",
           [&o](const std::string& text, const std::string& flag) {
             const auto [first, last] = parse_range(text, flag);
             o.first = first;
             o.count = last - first;
           });
}
void add_run_flags(Command& c, AttackOptions& o);                // -o/--out, --resume, --repair, --force-mixed, --batch, --verify-run, --sample
void add_budget_flags(Command& c, AttackOptions& o, bool pgd);   // --eps; pgd: also --norm, --steps, --rel-step, --abs-step, --restarts, ...
void add_method_flags(Command& c, AttackOptions& o);             // --attack and its settings
void add_backward_flag(Command& c, AttackOptions& o);            // --backward
void add_rate_flags(Command& c, AttackOptions& o);               // --draws, --clamp-cr

}  // namespace purescope
