// `purescope train` through the real program: stopped and resumed to the bit, refused where it must be, and it learns.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/program.h"
#include "test_paths.h"

using namespace purescope;

namespace {

namespace fs = std::filesystem;
using Args = std::vector<std::string>;

struct Kind { const char* what; const char* arch; };
const Kind kKinds[] = {{"ddpm", "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4"}, {"classifier", "cifar-resnet:depth=8,size=16,classes=4,width=4"}};

// A flag in `more` takes the place of the default.
Args train(const Kind& k, const std::string& out, const Args& more = {}) {
  Args a = {"train", k.what};
  const Args defaults = {"--arch", k.arch, "--data", "shapes:0", "-n", "40", "--batch", "6", "--steps", "20", "--save-every", "5", "--out", out,
                         "--augment", "crop-flip", "--lr", "2e-3", "--weight-decay", "0.01", "--t-max", "200"};
  for (size_t i = 0; i < defaults.size(); i += 2)
    if (std::find(more.begin(), more.end(), defaults[i]) == more.end()) a.insert(a.end(), {defaults[i], defaults[i + 1]});
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

// Runs until FILE.state is there, then SIGINT. The exit code.
int stop_at_first_state(const Args& args, const std::string& state) {
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), 2);
    Args all = args;
    all.insert(all.begin(), "purescope");
    std::vector<char*> argv;
    for (std::string& a : all) argv.push_back(a.data());
    argv.push_back(nullptr);
    execv(PURESCOPE_PROGRAM, argv.data());
    _exit(127);
  }
  int status = 0;
  for (bool sent = false; waitpid(child, &status, WNOHANG) != child;) {
    if (!sent && fs::exists(state)) {
      kill(child, SIGINT);
      sent = true;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Weights and what the metadata say about them (the command differs by --resume).
void expect_same_weights(const std::string& a, const std::string& b) {
  const Safetensors x(a), y(b);
  ASSERT_EQ(x.tensors().size(), y.tensors().size());
  for (const TensorInfo& t : x.tensors()) EXPECT_EQ(tensor_values(a, t.name), tensor_values(b, t.name)) << t.name;
  for (const char* key : {"arch", "steps", "final_loss", "seed", "data_sha256"}) EXPECT_EQ(x.metadata().at(key), y.metadata().at(key)) << key;
}

}  // namespace

TEST(CliTrain, ResumesToTheBit) {
  for (const Kind& k : kKinds) {
    SCOPED_TRACE(k.what);
    const ScratchFolder folder;
    expect_success(train(k, folder / "straight.safetensors", {"--threads", "1"}));
    EXPECT_FALSE(fs::exists(folder / "straight.safetensors.state"));
    const int code = stop_at_first_state(train(k, folder / "w.safetensors"), folder / "w.safetensors.state");
    if (code == 0) {
      std::printf("%s: the run ended before the signal\n", k.what);
      continue;
    }
    EXPECT_EQ(code, 75);
    EXPECT_FALSE(fs::exists(folder / "w.safetensors"));
    const int64_t step = std::stoll(Safetensors(folder / "w.safetensors.state").metadata().at("step"));
    EXPECT_TRUE(step >= 5 && step < 20) << step;
    std::printf("%s: stopped at step %d\n", k.what, static_cast<int>(step));
    // Neither a fresh start over it nor another configuration.
    const std::string state = slurp(folder / "w.safetensors.state");
    expect_failure(train(k, folder / "w.safetensors"), 73, "exists");
    expect_failure(train(k, folder / "w.safetensors", {"--resume", "--lr", "3e-3"}), 78, "lr=0.003", "asked for");
    expect_failure(train(k, folder / "w.safetensors", {"--resume", "--seed", "5"}), 78, "seed=5");
    EXPECT_EQ(slurp(folder / "w.safetensors.state"), state);
    expect_success(train(k, folder / "w.safetensors", {"--resume", "--threads", "2"}));
    expect_same_weights(folder / "w.safetensors", folder / "straight.safetensors");
    EXPECT_FALSE(fs::exists(folder / "w.safetensors.state"));
    expect_failure(train(k, folder / "w.safetensors"), 73, "exists");
    // Control: another seed is another network.
    expect_success(train(k, folder / "other.safetensors", {"--seed", "1"}));
    EXPECT_NE(Safetensors(folder / "other.safetensors").metadata().at("final_loss"), Safetensors(folder / "w.safetensors").metadata().at("final_loss"));
  }
}

// 200 steps on a few images: the loss ends well below where it starts (ddpm 1, classifier ln 4). The weights load by themselves.
TEST(CliTrain, Learns) {
  const ScratchFolder folder;
  for (const Kind& k : kKinds) {
    SCOPED_TRACE(k.what);
    const std::string out = folder / (std::string(k.what) + ".safetensors");
    Args args = train(k, out, {"--augment", "none", "--steps", "200", "--save-every", "1000", "--lr", "1e-2", "--weight-decay", "0", "--held-out", "shapes:1", "--held-out-count", "20"});
    const ProgramRun run = expect_success(args);
    const double loss = std::stod(Safetensors(out).metadata().at("final_loss"));
    EXPECT_LT(loss, std::string(k.what) == "ddpm" ? 0.6 : 1.2) << run.err;
    EXPECT_NE(Safetensors(out).metadata().at("held_out").find("held-out loss"), std::string::npos);
  }
  EXPECT_EQ(Safetensors(folder / "ddpm.safetensors").metadata().at("t_max"), "200");
  expect_success({"attack", "-q", "-p", folder / "ddpm.safetensors", "-c", folder / "classifier.safetensors", "-n", "2", "--t", "2", "--steps", "2",
                  "--draws", "1", "--no-predict", "--out", folder / "run"});
  expect_failure({"attack", "-q", "-p", folder / "ddpm.safetensors", "-c", folder / "classifier.safetensors", "-n", "2", "--t", "201", "--steps", "2",
                  "--out", folder / "beyond"}, 65, "200");
  EXPECT_FALSE(fs::exists(folder / "beyond"));
}

TEST(CliTrain, Refuses) {
  const ScratchFolder folder;
  const std::string out = folder / "w.safetensors";
  expect_failure(train({"ddpm", kKinds[1].arch}, out), 2, "cannot train");
  expect_failure(train({"classifier", kKinds[0].arch}, out), 2, "cannot train");
  expect_failure(train({"classifier", "cifar-resnet:depth=8,size=32,classes=4,width=4"}, out), 2, "32x32");
  expect_failure(train({"classifier", "cifar-resnet:depth=8,size=16,classes=3,width=4"}, out), 2, "classes");
  expect_failure(train(kKinds[1], out, {"--augment", "mirror"}), 2, "mirror");
  expect_failure(train(kKinds[1], out, {"--resume"}), 66, "w.safetensors.state");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}
