#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "core/check.h"
#include "core/parallel.h"
using namespace purescope;

int main(int argc, char** argv) {
  try {
    CLI::App app("purescope");
    CommonOptions common;
    TrainOptions t;
    for (int i = 0; i < argc; ++i) t.command += (i ? " " : "") + std::string(i ? argv[i] : "purescope");
    auto* train = app.add_subcommand("train");
    train->add_option("what", t.what);
    train->add_option("--arch", t.arch);
    train->add_option("--data", t.data);
    train->add_option("-n", t.count);
    train->add_option("--held-out", t.held_out);
    train->add_option("--held-out-count", t.held_out_count);
    train->add_option("--steps", t.steps);
    train->add_option("--batch", t.batch);
    train->add_option("--lr", t.lr);
    train->add_option("--ema", t.ema);
    train->add_option("--weight-decay", t.weight_decay);
    train->add_option("--t-max", t.t_max);
    train->add_option("--augment", t.augment);
    train->add_option("--seed", t.seed);
    train->add_option("--out", t.out);
    train->add_option("--init", t.init);
    train->add_option("--save-every", t.save_every);
    train->add_flag("--resume", t.resume);
    train->add_option("--threads", common.threads);
    app.parse(argc, argv);
    if (common.threads) set_thread_count(common.threads);
    return f32::run_train(t);
  } catch (const Error& e) {
    fprintf(stderr, "%s\n", e.message().c_str());
    return e.code;
  }
}
