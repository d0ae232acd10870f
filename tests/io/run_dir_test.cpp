#include "io/run_dir.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "io/scratch_folder.h"

namespace purescope {
namespace {

RunDescription description() {
  RunDescription d;
  d.program_version = "0.1.0";
  d.numerics = "1";
  d.config = {{"subcommand", "\"attack\""}, {"eps", "0.03137254901960784"}, {"seed", "[0,1]"}, {"attack.steps", "40"},
              {"attack.rel_step", "1e-05"}, {"t", "100"}, {"device", "\"cpu\"", ConfigRole::Free},
              {"purifier_sha256", "\"ab12\"", ConfigRole::Identity}};
  d.sections = {{"conventions", "{\"clip\":\"x0\"}"}, {"env", environment_json()}};
  return d;
}

const RunOptions kResume = {.resume = true};

TEST(RunDir, WritesWhatDefinesTheRun) {
  ScratchFolder scratch;
  const std::string path = scratch / "deep/er/run \xc3\xbc 1";
  RunDir run(path, description());
  EXPECT_FALSE(run.resumed());
  const JsonObject header = JsonObject::parse(slurp(run.file("header.json")), "header");
  EXPECT_EQ(header.get_int("schema"), kRunSchema);
  EXPECT_EQ(header.get_string("config_hash"), config_hash(description().config));
  EXPECT_EQ(header.get_string("config_hash").substr(0, 8), run.hash8());
  EXPECT_EQ(JsonObject::parse(header.raw("config"), "config").get_double("eps"), 8. / 255);
  EXPECT_TRUE(JsonObject::parse(header.raw("env"), "env").has("time"));
  EXPECT_EQ(slurp(run.file("config.resolved.toml")),
            "subcommand = \"attack\"\neps = 0.03137254901960784\nseed = [0,1]\nt = 100\ndevice = \"cpu\"\n\n"
            "[attack]\nsteps = 40\nrel_step = 1e-05\n");
  run.write_summary("{\"n\":3}");
  run.append_timing("{\"img\":0,\"seconds\":1.5}");
  run.log("hello");
  EXPECT_EQ(slurp(run.file("summary.json")), "{\"n\":3}\n");
  EXPECT_NE(slurp(run.file("run.log")).find("Z hello\n"), std::string::npos);
  EXPECT_EQ(run.results_file(), "results.0000of0001.jsonl");
}

// sha256 of {"a":1,"b":"x"}, computed with sha256sum.
TEST(RunDir, HashIsThatOfTheCanonicalJson) {
  const std::string golden = "ecf9e98ec0641e23113ff3ce8bdc78d0ddd249886517fd4a7f68cc83d4e65667";
  EXPECT_EQ(config_hash({{"b", "\"x\""}, {"a", "1"}}), config_hash({{"a", "1"}, {"b", "\"x\"", ConfigRole::Identity}}));
  EXPECT_EQ(config_hash({{"b", "\"x\""}, {"a", "1"}, {"c", "2", ConfigRole::Free}}), golden);
  EXPECT_NE(config_hash({{"b", "\"x\""}, {"a", "1"}, {"c", "2"}}), golden);
}

TEST(RunDir, AnExistingFolderNeedsResume) {
  ScratchFolder scratch;
  const std::string path = scratch / "run";
  { RunDir run(path, description()); }
  EXPECT_EQ(exit_code_of([&] { RunDir run(path, description()); }), kCannotCreate);
  const std::string header = slurp(path + "/header.json");
  RunDir run(path, description(), kResume);
  EXPECT_TRUE(run.resumed());
  EXPECT_EQ(slurp(path + "/header.json"), header);
  EXPECT_EQ(exit_code_of([&] { RunDir second(path, description(), kResume); }), kConfigMismatch) << "two writers";
}

TEST(RunDir, EachKeyThatAffectsResultsIsNamedWhenItChanges) {
  ScratchFolder scratch;
  const std::string path = scratch / "run";
  { RunDir run(path, description()); }
  const RunDescription original = description();
  for (size_t i = 0; i < original.config.size(); ++i) {
    RunDescription changed = original;
    changed.config[i].value = "77";
    std::string message;
    const int code = exit_code_of([&] { RunDir run(path, changed, kResume); }, &message);
    if (original.config[i].role == ConfigRole::Free) {
      EXPECT_EQ(code, 0) << original.config[i].key;
      continue;
    }
    EXPECT_EQ(code, kConfigMismatch) << original.config[i].key;
    EXPECT_NE(message.find(original.config[i].key + ": " + original.config[i].value + " -> 77"), std::string::npos)
        << message;
  }
  RunDescription more = original;
  more.config.push_back({"added", "1"});
  std::string message;
  EXPECT_EQ(exit_code_of([&] { RunDir run(path, more, kResume); }, &message), kConfigMismatch);
  EXPECT_NE(message.find("added: (none) -> 1"), std::string::npos);
}

TEST(RunDir, OtherProgramVersions) {
  ScratchFolder scratch;
  const std::string path = scratch / "run";
  { RunDir run(path, description()); }
  RunDescription next = description();
  next.program_version = "0.2.0";
  { RunDir run(path, next, kResume); EXPECT_FALSE(run.mixed()); }
  EXPECT_NE(slurp(path + "/header.json").find("[\"0.1.0\",\"0.2.0\"]"), std::string::npos);
  next.numerics = "2";
  EXPECT_EQ(exit_code_of([&] { RunDir run(path, next, kResume); }), kConfigMismatch);
  { RunDir run(path, next, {.resume = true, .force_mixed = true}); EXPECT_TRUE(run.mixed()); }
  // The mark stays.
  next.numerics = description().numerics;
  RunDir run(path, next, {.resume = true, .force_mixed = true});
  EXPECT_TRUE(run.mixed());
}

TEST(RunDir, RefusesDamagedHeaders) {
  ScratchFolder scratch;
  const std::string path = scratch / "run", name = path + "/header.json";
  { RunDir run(path, description()); }
  const std::string good = slurp(name);
  auto code_with = [&](std::string from, std::string to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    spit(name, text);
    return exit_code_of([&] { RunDir run(path, description(), kResume); });
  };
  EXPECT_EQ(code_with("\"t\": 100", "\"t\": 101"), kBadInput);  // edited: does not fit its hash
  EXPECT_EQ(code_with("\"schema\": 1", "\"schema\": 2"), kConfigMismatch);
  EXPECT_EQ(code_with("{", ""), kBadInput);
  spit(name, "");
  EXPECT_EQ(exit_code_of([&] { RunDir run(path, description(), kResume); }), kBadInput);
  std::filesystem::remove(name);
  { RunDir run(path, description(), kResume); EXPECT_FALSE(run.resumed()); }  // killed before the header: begin again
  std::filesystem::remove(name);
  spit(path + "/results.0000of0001.jsonl", "x");
  EXPECT_EQ(exit_code_of([&] { RunDir run(path, description(), kResume); }), kBadInput);
}

TEST(RunDir, TheJournalBelongsToTheRun) {
  ScratchFolder scratch;
  const std::string path = scratch / "run";
  for (bool resume : {false, true}) {
    RunDir run(path, description(), {.resume = resume});
    Journal journal(run.journal_options());
    EXPECT_EQ(journal.records().size(), resume ? 1u : 0u);
    if (!resume) journal.append(JsonLine().add("v", 1).add("run", run.hash8()).add("img", 0).text());
  }
}

TEST(RunDir, ShardsShareAFolderButNotAJournal) {
  ScratchFolder scratch;
  const std::string path = scratch / "run";
  RunDir first(path, description(), {.shard = 0, .shards = 2});
  RunDir second(path, description(), {.resume = true, .shard = 1, .shards = 2});
  EXPECT_EQ(second.results_file(), "results.0001of0002.jsonl");
  Journal one(first.journal_options()), two(second.journal_options());
  EXPECT_EQ(exit_code_of([&] { RunDir again(path, description(), {.resume = true, .shard = 1, .shards = 2}); }),
            kConfigMismatch);
}

TEST(RunDir, LeftoversOfAKillGoAway) {
  ScratchFolder scratch;
  const std::string path = scratch / "run";
  { RunDir run(path, description()); }
  spit(path + "/.purescope-1-0.tmp", "half");
  RunDir run(path, description(), kResume);
  EXPECT_FALSE(std::filesystem::exists(path + "/.purescope-1-0.tmp"));
}

TEST(RunDir, UnwritablePlacesAreFoundBeforeAnyWork) {
  ScratchFolder scratch;
  spit(scratch / "file", "x");
  EXPECT_EQ(exit_code_of([&] { RunDir run(scratch / "file/run", description()); }), kCannotCreate);
  EXPECT_EQ(exit_code_of([&] { RunDir run(scratch / "file", description(), kResume); }), kCannotCreate);
  EXPECT_EQ(exit_code_of([&] { RunDir run(scratch / std::string(256, 'n'), description()); }), kCannotCreate);
  EXPECT_EQ(exit_code_of([&] { RunDir run(scratch / std::string(255, 'n'), description()); }), 0);
}

// A disk of 64 KiB: too small for the probe; and a journal on it stops with 74 and resumes after space is freed.
TEST(RunDir, FullDisk) {
  ScratchFolder scratch;
  const std::string disk = scratch / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=64k") != 0)
    GTEST_SKIP() << "cannot mount a tmpfs: " << errno_text(errno);
  std::string message;
  EXPECT_EQ(exit_code_of([&] { RunDir run(disk + "/run", description()); }, &message), kCannotCreate);
  EXPECT_NE(message.find("No space left"), std::string::npos) << message;
  JournalOptions options;
  options.folder = disk;
  options.run = "00000000";
  options.retry_seconds = {0, 0, 0};
  auto fill = [&](int count) {
    Journal journal(options);
    for (int img = 0; img < count; ++img) {
      const std::string line =
          JsonLine().add("v", 1).add("run", options.run).add("img", img).add("pad", std::string(1000, 'p')).text();
      if (!journal.contains(order_key(img, 0, 0, 0))) journal.append(line);
    }
  };
  spit(disk + "/ballast", std::string(32 << 10, 'b'));
  EXPECT_EQ(exit_code_of([&] { fill(40); }), kIoError);
  std::filesystem::remove(disk + "/ballast");
  options.resume = true;
  EXPECT_EQ(exit_code_of([&] { fill(40); }), 0);
  const std::string after = slurp(disk + "/" + options.file);
  ::umount(disk.c_str());
  options.folder = scratch.path();
  options.resume = false;
  fill(40);
  EXPECT_EQ(after, slurp(scratch / options.file));
}

}  // namespace
}  // namespace purescope
