// Every attack by name and the randomness protocol as a user runs them: the real program on small networks.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "cli/program.h"
#include "io/json_text.h"

using namespace purescope;

namespace {

namespace fs = std::filesystem;
using Args = std::vector<std::string>;

Args with(Args base, const Args& more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

Args job(const std::string& command, const std::string& out, const Args& more = {}) {
  const Args base = {command, "-q", "-p", "formula", "--purifier-arch", "ddpm-unet:ch=8,mult=1-2,blocks=1,attn=8,size=16,groups=4", "-c", "formula",
                     "--classifier-arch", "cifar-resnet:depth=8,size=16,classes=4,width=4", "--out", out};
  Args defaults = {"-n", "3", "--t", "2", "--steps", "2"};
  if (command == "attack") defaults = with(defaults, {"--draws", "1"});
  Args a = base;
  for (size_t i = 0; i < defaults.size(); i += 2)
    if (std::find(more.begin(), more.end(), defaults[i]) == more.end()) a = with(a, {defaults[i], defaults[i + 1]});
  return with(a, more);
}

std::vector<JsonObject> records(const std::string& folder) {
  std::vector<JsonObject> list;
  const std::string text = slurp(folder + "/results.0000of0001.jsonl");
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    list.push_back(JsonObject::parse(text.substr(begin, end - begin), folder));
    begin = end + 1;
  }
  return list;
}

std::vector<JsonObject> of_set(const std::vector<JsonObject>& all, const std::string& set) {
  std::vector<JsonObject> list;
  for (const JsonObject& o : all) if (o.get_string("kind") == "protocol:" + set) list.push_back(o);
  return list;
}

std::string bytes(const std::string& folder) { return slurp(folder + "/results.0000of0001.jsonl"); }

}  // namespace

TEST(CliAttacks, EveryNameRunsAndIsRecorded) {
  const ScratchFolder folder;
  for (const std::string name : {"pgd", "fgsm", "apgd-ce", "apgd-dlr", "apgd-t", "square", "spsa", "nes", "random", "suite"}) {
    const Args flags = {"--attack", name, "--fix-random", "--no-predict", "--queries", "12", "--samples", "4"};
    const ProgramRun run = expect_success(job("attack", folder / name, flags));
    const std::vector<JsonObject> all = records(folder / name);
    ASSERT_EQ(all.size(), 3u) << name;
    for (const JsonObject& o : all) {
      EXPECT_EQ(o.get_string("attack"), name);
      EXPECT_FALSE(o.get_string("options").empty());
      EXPECT_LE(o.get_double("linf"), 8.0 / 255 * (1 + 1e-5)) << name;
      EXPECT_EQ(o.has("broken_by"), name == "suite");
    }
    EXPECT_EQ(run.out.find("robust accuracy after APGD-CE: ") != std::string::npos, name == "suite") << run.out;
    if (name == "pgd") continue;
    expect_success(job("attack", folder / (name + "-1"), with(flags, {"--batch", "1"})));
    EXPECT_EQ(bytes(folder / (name + "-1")), bytes(folder / name)) << name;
  }
}

TEST(CliAttacks, EotInBothModes) {
  const ScratchFolder folder;
  for (const std::string mode : {"loss", "logits"}) {
    const std::string out = folder / mode;
    const ProgramRun run = expect_success(job("attack", out, {"--eot", "2", "--eot-mode", mode, "--no-fix-random", "--no-predict"}));
    EXPECT_NE(run.out.find("robust, eot:2"), std::string::npos) << run.out;
    for (const JsonObject& o : records(out)) {
      EXPECT_EQ(o.get_string("rand"), "eot:2");
      EXPECT_NE(o.get_string("options").find("eot 2 " + mode), std::string::npos);
      EXPECT_EQ(o.get_int("bwd"), 4);   // two steps of two draws
    }
    EXPECT_TRUE(fs::exists(out + "/adv/000000.s0.t2.e0.031373.eot-2.npy"));
    expect_success(job("attack", out + "1", {"--eot", "2", "--eot-mode", mode, "--no-fix-random", "--no-predict", "--batch", "1"}));
    EXPECT_EQ(bytes(out), bytes(out + "1"));
  }
  EXPECT_NE(bytes(folder / "loss"), bytes(folder / "logits"));
  expect_failure(job("attack", folder / "x", {"--eot", "2", "--fix-random"}), 2, "--eot");
  expect_failure(job("attack", folder / "x", {"--eot", "2", "--eot-mode", "both"}), 2, "both");
  expect_failure(job("attack", folder / "x", {"--attack", "pdg"}), 2, "pdg");
  expect_failure(job("attack", folder / "x", {"--attack", "square", "--norm", "l2", "--no-predict"}), 2, "square");
}

TEST(CliProtocol, SetsControlsAndTransferToTheSameSeed) {
  const ScratchFolder folder;
  const Args flags = {"--eot", "2", "--tries", "3", "--test-seed", "0"};
  const ProgramRun run = expect_success(job("protocol", folder / "a", flags));
  for (const char* text : {"no attack", "eot:2", "robust, transfer", "worst of 3", "majority of 3", "p = ", "cosine of perturbation"})
    EXPECT_NE(run.out.find(text), std::string::npos) << text << "\n" << run.out;
  const std::vector<JsonObject> all = records(folder / "a");
  EXPECT_EQ(all.size(), 3u * 5);
  const std::vector<JsonObject> none = of_set(all, "none"), fixed = of_set(all, "fixed"), other = of_set(all, "other"), free = of_set(all, "free");
  ASSERT_EQ(none.size(), 3u);
  ASSERT_EQ(other.size(), 3u);
  for (size_t n = 0; n < 3; ++n) {
    EXPECT_EQ(none[n].get_double("linf"), 0);
    EXPECT_EQ(none[n].raw("tries").size(), fixed[n].raw("tries").size());   // the control has as many tries
    // s' = s: transfer is fixed, and the images crafted under the other seed are the same images.
    EXPECT_EQ(fixed[n].get_int("pred_transfer"), fixed[n].get_int("pred_fixed"));
    EXPECT_EQ(other[n].get_string("xadv_sha"), fixed[n].get_string("xadv_sha"));
    EXPECT_NEAR(other[n].get_double("cos_fixed"), 1, 1e-6);
    EXPECT_NEAR(none[n].get_double("grad_cos_transfer"), 1, 1e-6);
    EXPECT_LT(none[n].get_double("grad_cos_eot"), 0.999999);
    EXPECT_NE(free[n].get_string("xadv_sha"), fixed[n].get_string("xadv_sha"));
  }
  // Another seed: other images.
  expect_success(job("protocol", folder / "b", {"--eot", "2", "--tries", "3", "--test-seed", "5"}));
  EXPECT_NE(of_set(records(folder / "b"), "other")[0].get_string("xadv_sha"), other[0].get_string("xadv_sha"));
  EXPECT_EQ(of_set(records(folder / "b"), "fixed")[0].get_string("xadv_sha"), fixed[0].get_string("xadv_sha"));
  EXPECT_EQ(run_program({"verify", folder / "a", "--sample", "1"}).code, 0);
  // Neither batch nor threads move a byte.
  EXPECT_EQ(expect_success(job("protocol", folder / "c", with(flags, {"--batch", "1", "--threads", "2"}))).out, run.out);
  EXPECT_EQ(bytes(folder / "c"), bytes(folder / "a"));
}

// The images of a run, given back as X.npy, are judged as in that run.
TEST(CliProtocol, JudgesGivenImages) {
  const ScratchFolder folder;
  expect_success(job("protocol", folder / "a", {"--eot", "1", "--tries", "3"}));
  const std::vector<JsonObject> fixed = of_set(records(folder / "a"), "fixed");
  std::vector<float> images;
  std::vector<int64_t> labels;
  for (int n = 0; n < 3; ++n) {
    const std::vector<float> one = read_npy(folder / "a" + "/adv/00000" + std::to_string(n) + ".s0.t2.e0.031373.fixed.npy").as_float();
    images.insert(images.end(), one.begin(), one.end());
    labels.push_back(fixed[n].get_int("label"));
  }
  write_npy(folder / "x.npy", {3, 3, 16, 16}, images.data());
  write_npy(folder / "l.npy", {3}, labels.data());
  const Args given = {"--adv", folder / "x.npy", "--labels", folder / "l.npy", "--tries", "3"};
  expect_success(job("protocol", folder / "b", given));
  const std::vector<JsonObject> judged = records(folder / "b");
  ASSERT_EQ(judged.size(), 3u);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(judged[n].get_string("kind"), "protocol:adv");
    for (const char* key : {"pred_fixed", "pred_transfer"}) EXPECT_EQ(judged[n].get_int(key), fixed[n].get_int(key));
    EXPECT_EQ(judged[n].raw("tries"), fixed[n].raw("tries"));
    EXPECT_EQ(judged[n].get_string("xadv_sha"), fixed[n].get_string("xadv_sha"));
  }
  // With the clean images: the control beside them.
  expect_success(job("protocol", folder / "c", with(given, {"--data", "shapes:1"})));
  EXPECT_EQ(records(folder / "c").size(), 6u);
  labels[0] = (labels[0] + 1) % 4;
  write_npy(folder / "l.npy", {3}, labels.data());
  expect_failure(job("protocol", folder / "d", with(given, {"--data", "shapes:1"})), 65, "do not belong");
  expect_failure(job("protocol", folder / "d", {"--adv", folder / "x.npy"}), 2, "--labels");
}

TEST(CliProtocol, StoppedAndResumedGivesTheSameBytes) {
  const ScratchFolder folder;
  const Args flags = {"--eot", "2", "--tries", "2", "--attack", "apgd-ce", "--steps", "6", "--threads", "1"};
  const ProgramRun whole = expect_success(job("protocol", folder / "whole", flags));
  int stops = 0;
  for (int milliseconds : {60, 200, 500, 900}) {
    const std::string out = folder / std::to_string(milliseconds);
    const pid_t child = fork();
    if (child == 0) {
      dup2(open("/dev/null", O_WRONLY), 1);
      dup2(open("/dev/null", O_WRONLY), 2);
      Args all = with({"purescope"}, job("protocol", out, flags));
      std::vector<char*> argv;
      for (std::string& a : all) argv.push_back(a.data());
      argv.push_back(nullptr);
      execv(PURESCOPE_PROGRAM, argv.data());
      _exit(127);
    }
    while (!fs::exists(out + "/header.json")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    kill(child, SIGINT);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) continue;   // it was faster
    EXPECT_EQ(WEXITSTATUS(status), 75);
    ++stops;
    EXPECT_EQ(expect_success(job("protocol", out, with(flags, {"--resume"}))).out, whole.out);
    EXPECT_EQ(bytes(out), bytes(folder / "whole"));
    EXPECT_EQ(slurp(out + "/summary.json"), slurp(folder / "whole" + "/summary.json"));
  }
  EXPECT_GE(stops, 1);
}
