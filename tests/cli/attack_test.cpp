// attack, cr, predict and verify as a user runs them: the real program on small networks, interrupted, resumed, repeated and tampered with.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "cli/program.h"
#include "core/hash.h"
#include "io/image.h"
#include "test_paths.h"

using namespace purescope;

namespace {

namespace fs = std::filesystem;

const std::string kUnet = "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4";
const std::string kClassifier = "cifar-resnet:depth=8,size=16,classes=4,width=4";

using Args = std::vector<std::string>;

Args with(Args base, const Args& more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

Args networks() { return {"-p", "formula", "--purifier-arch", kUnet, "-c", "formula", "--classifier-arch", kClassifier}; }

// A small run of `command` into `out`. A flag in `more` takes the place of the default; --subset that of -n.
Args job(const std::string& command, const std::string& out, const Args& more = {}) {
  Args defaults = with(networks(), {"--data", "shapes", "-n", "5", "--t", "4", "--draws", "2", "--out", out}), a = {command, "-q"};
  if (command != "cr") defaults = with(defaults, {"--steps", "3"});
  auto given = [&](const std::string& flag) { return std::find(more.begin(), more.end(), flag) != more.end(); };
  for (size_t i = 0; i < defaults.size(); i += 2)
    if (!given(defaults[i]) && !(defaults[i] == "-n" && given("--subset"))) a = with(a, {defaults[i], defaults[i + 1]});
  return with(a, more);
}

std::string results(const std::string& folder) { return slurp(folder + "/results.0000of0001.jsonl"); }

// Starts the program, calls act(pid) once ready() is true, and waits. -1: ready() never turned true.
template <class Ready, class Act>
int start_and(const Args& args, const std::string& out, const Ready& ready, const Act& act) {
  const pid_t child = fork();
  if (child == 0) {
    dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
    dup2(open("/dev/null", O_WRONLY), 2);
    Args all = with({"purescope"}, args);
    std::vector<char*> argv;
    for (std::string& a : all) argv.push_back(a.data());
    argv.push_back(nullptr);
    execv(PURESCOPE_PROGRAM, argv.data());
    _exit(127);
  }
  int status = 0;
  bool acted = false;
  for (int i = 0; i < 60000; ++i) {
    if (waitpid(child, &status, WNOHANG) == child) return acted || WIFEXITED(status) ? (WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)) : -1;
    if (!acted && ready()) {
      act(child);
      acted = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

size_t lines_in(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

// No temporary or half-written file is left anywhere below the folder.
void expect_clean(const std::string& folder) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    EXPECT_EQ(name.find("tmp"), std::string::npos) << entry.path();
    EXPECT_EQ(name.find("partial"), std::string::npos) << entry.path();
    EXPECT_TRUE(name.size() < 2 || name[0] != '.') << entry.path();
    if (entry.is_regular_file() && name != "header.lock") {
      EXPECT_GT(entry.file_size(), 0u) << entry.path();
    }
  }
}

// A long enough run to be stopped in the middle.
const Args kLong = {"--steps", "6", "-n", "4", "--t", "6", "--batch", "2", "--threads", "1"};

// Replaces `from` by `to` in record `index` and gives the line a valid checksum again.
void alter(const std::string& folder, size_t index, const std::string& from, const std::string& to) {
  const std::string path = folder + "/results.0000of0001.jsonl", text = slurp(path);
  std::string changed;
  size_t begin = 0, number = 0;
  while (begin < text.size()) {
    size_t end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    if (number++ == index) {
      const size_t at = line.find(from);
      ASSERT_NE(at, std::string::npos) << line;
      line.replace(at, from.size(), to);
      line = line.substr(0, line.rfind(",\"crc\":"));
      char crc[32];
      std::snprintf(crc, sizeof crc, ",\"crc\":\"%08x\"}", crc32(line.data(), line.size()));
      line += crc;
    }
    changed += line + "\n";
    begin = end + 1;
  }
  ASSERT_NE(changed, text);
  spit(path, changed);
}

}  // namespace

TEST(CliAttack, RunsAndWritesItsFolder) {
  const ScratchFolder folder;
  const ProgramRun run = expect_success(job("attack", folder / "a"));
  EXPECT_NE(run.out.find("robust, fixed"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("robust, free"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("predicted (clean)"), std::string::npos) << run.out;
  EXPECT_EQ(lines_in(results(folder / "a")), 5u * 3);   // fixed, free and the minimum of each image
  for (const char* name : {"header.json", "summary.json", "config.resolved.toml", "grid.png", "timing.jsonl", "run.log"}) EXPECT_TRUE(fs::exists(folder / "a" + "/" + name)) << name;
  const Image grid = read_image(folder / "a" + "/grid.png");
  EXPECT_GT(grid.width, 3 * 16);
  EXPECT_GT(grid.height, 5 * 16);
  EXPECT_EQ(read_npy(folder / "a" + "/adv/000004.s0.t4.e0.031373.fixed.npy").shape, (std::vector<int64_t>{3, 16, 16}));
  expect_clean(folder / "a");
  EXPECT_EQ(lines_in(slurp(folder / "a" + "/timing.jsonl")), 5u * 3);
  for (const char* word : {"started with 0 records", "finished with 15 records"}) EXPECT_NE(slurp(folder / "a" + "/run.log").find(word), std::string::npos) << word;
  const std::string header = slurp(folder / "a" + "/header.json");
  EXPECT_NE(header.find("\"compiler\""), std::string::npos);
  EXPECT_NE(header.find("(commit "), std::string::npos) << header;   // and with it the BLAS kernel
  EXPECT_NE(header.find("OpenBLAS "), std::string::npos) << header;
  // The configuration it left behind repeats the run, also where the first file is gone by the time somebody verifies.
  fs::copy_file(folder / "a" + "/config.resolved.toml", folder / "c.toml");
  expect_success({"attack", "--config", folder / "c.toml", "--out", folder / "again"});
  EXPECT_EQ(results(folder / "again"), results(folder / "a"));
  EXPECT_EQ(slurp(folder / "again" + "/config.resolved.toml"), slurp(folder / "a" + "/config.resolved.toml"));
  fs::remove(folder / "c.toml");
  EXPECT_EQ(expect_success({"verify", folder / "again"}).code, 0);
  // Into the same folder again: refused, and nothing in it changes.
  const std::string before = results(folder / "a");
  expect_failure(job("attack", folder / "a"), 73, "exists");
  EXPECT_EQ(results(folder / "a"), before);
  // A finished run, resumed: the same table, nothing computed.
  EXPECT_EQ(expect_success(job("attack", folder / "a", {"--resume"})).out, run.out);
  EXPECT_EQ(results(folder / "a"), before);
  // Other options: the key is named.
  expect_failure(job("attack", folder / "a", {"--resume", "--steps", "4"}), 78, "steps");
  expect_failure(job("attack", folder / "a", {"--resume", "--t", "5"}), 78, "t: [4] -> [5]");
}

// Neither the batch, nor threads, nor kept activations change a byte of the records; the seed does.
TEST(CliAttack, SameBytesForAnyBatchAndThreads) {
  const ScratchFolder folder;
  const ProgramRun first = expect_success(job("attack", folder / "a", {"--batch", "8", "--threads", "1"}));
  const std::string expected = results(folder / "a");
  int number = 0;
  for (const Args& way : {Args{"--batch", "1", "--threads", "2"}, Args{"--batch", "3", "--threads", "2", "--memory", "max"}}) {
    const std::string out = folder / std::to_string(number++);
    EXPECT_EQ(expect_success(job("attack", out, way)).out, first.out);
    EXPECT_EQ(results(out), expected);
  }
  expect_success(job("attack", folder / "s", {"--seed", "1"}));
  EXPECT_NE(results(folder / "s"), expected);
}

// Images 2 and 3 as a subset have the records they have in the full run, but for the name of the run.
TEST(CliAttack, SubsetHasTheRecordsOfTheFullRun) {
  const ScratchFolder folder;
  auto body = [](const std::string& line) {   // without run name, which stands first, and checksum
    const size_t from = line.find("\"kind\"");
    return line.substr(from, line.rfind(",\"crc\"") - from);
  };
  auto lines = [&](const std::string& text) {
    std::vector<std::string> all;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      all.push_back(body(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    return all;
  };
  expect_success(job("attack", folder / "all", {"--fix-random", "--no-predict"}));
  expect_success(job("attack", folder / "part", {"--fix-random", "--no-predict", "--subset", "2:4"}));
  const std::vector<std::string> all = lines(results(folder / "all")), part = lines(results(folder / "part"));
  ASSERT_EQ(part.size(), 2u);
  EXPECT_EQ(part[0], all[2]);
  EXPECT_EQ(part[1], all[3]);
}

TEST(CliAttack, StoppedAndResumedGivesTheSameBytes) {
  const ScratchFolder folder;
  const ProgramRun whole = expect_success(job("attack", folder / "whole", kLong));
  const std::string expected = results(folder / "whole"), summary = slurp(folder / "whole" + "/summary.json");
  // SIGINT after the first, a middle and a late record; SIGKILL likewise.
  int interrupted = 0;
  for (size_t after : {1, 5, 9})
    for (int signal_number : {SIGINT, SIGKILL}) {
      const std::string out = folder / (std::to_string(after) + "-" + std::to_string(signal_number));
      const int code = start_and(job("attack", out, kLong), folder / "stdout", [&] { return lines_in(results(out)) >= after; },
                                 [&](pid_t child) { kill(child, signal_number); });
      if (code == 0) continue;   // it was faster
      EXPECT_EQ(code, signal_number == SIGINT ? 75 : -SIGKILL);
      ++interrupted;
      if (signal_number == SIGINT) expect_clean(out);
      EXPECT_EQ(slurp(folder / "stdout"), "");
      const ProgramRun rest = expect_success(job("attack", out, with(kLong, {"--resume"})));
      EXPECT_EQ(rest.out, whole.out) << after << " " << signal_number;
      EXPECT_EQ(results(out), expected) << after << " " << signal_number;
      EXPECT_EQ(slurp(out + "/summary.json"), summary);
      EXPECT_EQ(slurp(out + "/grid.png"), slurp(folder / "whole" + "/grid.png"));
      expect_clean(out);
    }
  EXPECT_GE(interrupted, 3);
}

// Gradients of single draws, before the average: one file each, and nothing else changes.
TEST(CliAttack, WritesTheGradientOfEveryDraw) {
  const ScratchFolder folder;
  const Args eot = {"-n", "2", "--no-fix-random", "--no-predict", "--steps", "2", "--eot", "3"};
  expect_success(job("attack", folder / "a", eot));
  expect_success(job("attack", folder / "b", with(eot, {"--save-gradients"})));
  EXPECT_EQ(results(folder / "a"), results(folder / "b"));
  EXPECT_FALSE(fs::exists(folder / "a" + "/gradients"));
  std::set<std::vector<float>> different;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder / "b" + "/gradients")) {
    const Array g = read_npy(entry.path().string());
    EXPECT_EQ(g.shape, (std::vector<int64_t>{3, 16, 16}));
    different.insert(g.as_float());
    ++files;
  }
  EXPECT_EQ(files, 2 * 2 * 3);
  EXPECT_EQ(different.size(), 12u);
  EXPECT_TRUE(fs::exists(folder / "b" + "/gradients/000001.s0.t4.e0.031373.eot-3.step00001.draw02.npy"));
}

// A stop in the middle of an attack leaves its iterate on disk, and the resumed run goes on from it.
TEST(CliAttack, StoppedInTheMiddleOfAnAttack) {
  const ScratchFolder folder;
  const Args slow = {"--steps", "100", "-n", "2", "--fix-random", "--no-predict", "--threads", "1"};
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const ProgramRun whole = expect_success(job("attack", folder / "whole", slow));
  const auto length = Clock::now() - begin;
  const std::string out = folder / "half";
  Clock::time_point seen{};   // the header; from there on the attack takes most of the time
  const int code = start_and(job("attack", out, slow), folder / "stdout",
                             [&] {
                               if (seen == Clock::time_point{} && fs::exists(out + "/header.json")) seen = Clock::now();
                               return seen != Clock::time_point{} && Clock::now() - seen > length / 3;
                             },
                             [&](pid_t child) { kill(child, SIGINT); });
  if (code == 0) GTEST_SKIP() << "the run ended before the signal";
  EXPECT_EQ(code, 75);
  EXPECT_TRUE(fs::exists(out + "/state/attack.safetensors"));
  EXPECT_EQ(expect_success(job("attack", out, with(slow, {"--resume"}))).out, whole.out);
  EXPECT_EQ(results(out), results(folder / "whole"));
  EXPECT_FALSE(fs::exists(out + "/state/attack.safetensors"));
}

TEST(CliVerify, NoticesAChangedRecord) {
  const ScratchFolder folder;
  const std::string a = folder / "a";
  expect_success(job("attack", a, {"--fix-random"}));
  const std::string untouched = results(a);
  ProgramRun run = run_program({"verify", a, "--sample", "5"});
  EXPECT_EQ(run.code, 0) << run.err << run.out;
  EXPECT_NE(run.out.find("10 of 10 records computed again (5 images), 0 differ"), std::string::npos) << run.out;
  EXPECT_EQ(results(a), untouched);
  // With a checksum that fits: found by computing again.
  alter(a, 1, "\"status\":\"ok\"", "\"status\":\"nan\"");
  run = run_program({"verify", a, "--sample", "5"});
  EXPECT_EQ(run.code, 1) << run.err << run.out;
  EXPECT_NE(run.out.find("differs: image 0"), std::string::npos) << run.out;
  // Without: found by the checksum.
  std::string bad = untouched;
  bad[bad.find("\"label\":") + 8] ^= 1;
  spit(a + "/results.0000of0001.jsonl", bad);
  expect_failure({"verify", a}, 65, "results.0000of0001.jsonl");
  expect_failure({"verify", folder / "nothing"}, 66, "nothing");
}

TEST(CliCr, RunsResumesAndVerifies) {
  const ScratchFolder folder;
  const ProgramRun run = expect_success(job("cr", folder / "a", {"--t", "4,8", "--eps", "2/255,8/255", "--seed", "0,3"}));
  EXPECT_EQ(lines_in(results(folder / "a")), 5u * 8);
  EXPECT_EQ(run.out.find("robust"), std::string::npos);
  EXPECT_EQ(lines_in(run.out), 1u + 8 + 1) << run.out;
  EXPECT_EQ(expect_success(job("cr", folder / "b", {"--t", "4,8", "--eps", "2/255,8/255", "--seed", "0,3", "--batch", "1", "--threads", "2"})).out, run.out);
  EXPECT_EQ(results(folder / "a"), results(folder / "b"));
  EXPECT_EQ(run_program({"verify", folder / "a", "--sample", "1"}).code, 0);
  expect_failure(job("cr", folder / "a"), 73, "exists");
  expect_success(job("cr", folder / "c", {"--clamp-cr"}));
  EXPECT_FALSE(fs::exists(folder / "c" + "/grid.png"));
  expect_clean(folder / "a");
}

TEST(CliPredict, RunsResumesAndVerifies) {
  const ScratchFolder folder;
  const ProgramRun run = expect_success(job("predict", folder / "a"));
  EXPECT_EQ(lines_in(results(folder / "a")), 5u * 3);   // rate, minimum at the clean image, minimum at the anchor
  EXPECT_NE(run.out.find("predicted (anchor)"), std::string::npos) << run.out;
  EXPECT_EQ(expect_success(job("predict", folder / "b", {"--batch", "2", "--threads", "2"})).out, run.out);
  EXPECT_EQ(results(folder / "a"), results(folder / "b"));
  EXPECT_EQ(run_program({"verify", folder / "a", "--sample", "2"}).code, 0);
  const int code = start_and(job("predict", folder / "c", kLong), folder / "stdout", [&] { return lines_in(results(folder / "c")) >= 2; },
                             [&](pid_t child) { kill(child, SIGINT); });
  EXPECT_TRUE(code == 75 || code == 0) << code;
  expect_success(job("predict", folder / "c", with(kLong, {"--resume"})));
  expect_success(job("predict", folder / "d", kLong));
  EXPECT_EQ(results(folder / "c"), results(folder / "d"));
}

TEST(CliAttack, InDouble) {
  const ScratchFolder folder;
  expect_success(job("attack", folder / "a", {"--real", "f64", "-n", "2", "--fix-random", "--no-predict"}));
  expect_success(job("attack", folder / "b", {"-n", "2", "--fix-random", "--no-predict"}));
  EXPECT_EQ(lines_in(results(folder / "a")), 2u);
  EXPECT_NE(results(folder / "a"), results(folder / "b"));
  expect_failure(job("attack", folder / "a", {"-n", "2", "--fix-random", "--no-predict", "--resume"}), 78, "real");
}

// Transfer to the own seed: the same perturbation and the same verdict as fixed randomness.
TEST(CliAttack, TransferToTheSameSeed) {
  const ScratchFolder folder;
  expect_success(job("attack", folder / "a", {"--fix-random", "--no-predict", "--test-seed", "0"}));
  const std::string text = results(folder / "a");
  EXPECT_EQ(lines_in(text), 10u);
  size_t begin = 0;
  auto next = [&] {
    const size_t end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    return line.substr(line.find("\"norm\""), line.rfind(",\"crc\"") - line.find("\"norm\""));
  };
  for (int i = 0; i < 5; ++i) {
    const std::string fixed = next(), transfer = next();
    EXPECT_EQ(fixed, transfer) << i;
  }
}

// Nothing is written where the command cannot run.
TEST(CliAttack, RefusesBadInput) {
  const ScratchFolder folder;
  const std::string out = folder / "x";
  const std::string shapes = std::string(PURESCOPE_TEST_DIR) + "/../weights/shapes-ddpm.safetensors";
  if (fs::exists(shapes)) {
    const std::map<std::string, std::string> metadata = Safetensors(shapes).metadata();
    const int t_max = std::stoi(metadata.at("t_max"));
    if (t_max < 1000)
      expect_failure({"attack", "-q", "-n", "1", "--t", std::to_string(t_max + 1), "--out", out}, 65, std::to_string(t_max));
  }
  float pixels[2 * 768] = {};
  std::fill_n(pixels, 2 * 768, 0.5f);
  const int64_t labels[2] = {0, 1};
  write_npy(folder / "x.npy", {2, 3, 16, 16}, pixels);
  write_npy(folder / "y.npy", {2}, labels);
  const std::string pair = "npy:" + folder / "x.npy" + "," + folder / "y.npy";
  expect_failure(job("attack", out, {"--data", pair}), 65, "2");                      // -n 5 of 2
  expect_failure(job("cr", out, {"--data", pair, "--subset", "1:3"}), 65, "2");
  expect_failure(job("attack", out, {"--data", "folder:" + folder / "missing"}), 66, "missing");
  expect_failure({"attack", "-q", "-c", folder / "missing.safetensors", "-n", "1", "--out", out}, 66, "missing.safetensors");
  expect_failure({"cr", "-q", "-p", folder / "missing.safetensors", "-n", "1", "--out", out}, 66, "missing.safetensors");
  expect_failure(job("attack", out, {"--classifier-arch", "cifar-resnet:depth=8,size=32,classes=4,width=4"}), 65, "32");
  expect_failure(job("attack", out, {"--classifier-arch", "cifar-resnet:depth=8,size=16,classes=3,width=4"}), 65, "classes");
  EXPECT_FALSE(fs::exists(out));
}

TEST(CliAttack, Usage) {
  const ScratchFolder folder;
  const std::string out = folder / "x";
  expect_failure(job("attack", out, {"--fix-random", "--no-fix-random"}), 2, "--no-fix-random");
  expect_failure(job("attack", out, {"--norm", "l7"}), 2, "l7");
  expect_failure(job("attack", out, {"--backward", "guess"}), 2, "guess");
  expect_failure(job("attack", out, {"--eps", "eight"}), 2, "eight");
  expect_failure(job("attack", out, {"--t", "0"}), 2, "--t");
  expect_failure(job("attack", out, {"--t", "10", "--steps-reverse", "3"}), 2, "3");
  expect_failure(job("attack", out, {"--stepz", "3"}), 2, "--stepz");
  expect_failure({"attack", "--resume"}, 2, "--out");
  expect_failure({"verify"}, 2, "RUN");
  EXPECT_FALSE(fs::exists(out));
}
