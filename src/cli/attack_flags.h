// Flags of the commands that attack or measure images: attack, cr, predict, protocol, experiment.
#pragma once
#include "cli/flags.h"
#include "cli/options.h"

namespace purescope {

void add_data_flags(Command& c, AttackOptions& o);               // -d/--data, -n, --subset
void add_run_flags(Command& c, AttackOptions& o);                // -o/--out, --resume, --repair, --force-mixed, --batch, --verify-run, --sample
void add_budget_flags(Command& c, AttackOptions& o, bool pgd);   // --eps; pgd: also --norm, --steps, --rel-step, --abs-step, --restarts, ...
void add_method_flags(Command& c, AttackOptions& o);             // --attack and its settings
void add_backward_flag(Command& c, AttackOptions& o);            // --backward
void add_rate_flags(Command& c, AttackOptions& o);               // --draws, --clamp-cr

}  // namespace purescope
