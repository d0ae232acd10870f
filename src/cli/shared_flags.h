// Flags that several commands have in common: one function each, so that they read the same everywhere.
#pragma once
#include "cli/flags.h"
#include "cli/options.h"

namespace purescope {

void add_common_flags(Command& c,
                      CommonOptions& o);           // --real, --math, --precision, --device, --threads, --strict, -q, -v
void add_json_flag(Command& c, CommonOptions& o);  // --json
void add_force_flag(Command& c, CommonOptions& o, const std::string& help);
// --arch and --weights; the weights are required unless a default is set.
void add_network_flags(Command& c, NetworkChoice& o);
// -p/--purifier, --purifier-arch.
void add_purifier_flags(Command& c, NetworkChoice& o);
// -c/--classifier, --classifier-arch.
void add_classifier_flags(Command& c, NetworkChoice& o);
// --t, --steps-reverse, --forward, --sampler, --clip, --variance, --scale.
void add_purify_flags(Command& c, PurifyFlags& o);
// Every --preset: the table of the papers that it stands for, the flags it sets, and what they mean. For --list-presets.
std::string preset_list();
void add_memory_flag(Command& c, PurifyFlags& o);  // --memory
// --seed, --noise-rng, --seed-hash.
void add_noise_flags(Command& c, NoiseFlags& o);
void add_noise_file_flags(Command& c, NoiseFlags& o);  // --first-index, --noise, --export-noise

// Applies what concerns the whole process (threads, device, arithmetic).
void apply(const CommonOptions& o);

// The commands, one function per file or family; main.cpp calls them all.
void register_study_commands(Program& program);  // forward, vjp, purify, gradient
void register_check_commands(Program& program);  // explain, compare, selftest
void register_attack_commands(Program& program);   // attack, cr, predict, verify
void register_audit_commands(Program& program);    // audit
void register_report_commands(Program& program);   // report
void register_experiment_commands(Program& program);   // experiment
void register_data_commands(Program& program);   // convert, inspect, train, version
void print_version(bool json);
std::string program_version();  // "0.1.0 (commit ..., release, gcc ..., OpenBLAS SkylakeX)": what results may depend on besides the configuration

}  // namespace purescope
