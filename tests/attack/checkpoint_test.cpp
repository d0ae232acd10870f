// An attack that is stopped before any of its steps, put away on disk and taken up again ends with the same bits.
#include "attack/targets.h"
#include "cli/attack_state.h"

#include <gtest/gtest.h>

#include "io/scratch_folder.h"

using namespace purescope;

namespace {

void save(const std::string& path, const std::string& key, const PgdCheckpoint& c) { save_checkpoint(path, key, pack(c)); }
bool load(const std::string& path, const std::string& key, PgdCheckpoint& c) {
  AttackCheckpoint state;
  if (!load_checkpoint(path, key, state)) return false;
  c = unpack_pgd(state);
  return true;
}

void expect_equal(const PgdResult& a, const PgdResult& b, const std::string& what) {
  EXPECT_TRUE(compare_bits(values_of(a.adversarial.view()), values_of(b.adversarial.view())).ok) << what;
  ASSERT_EQ(a.images.size(), b.images.size()) << what;
  for (size_t n = 0; n < a.images.size(); ++n) {
    const PgdImage &p = a.images[n], &q = b.images[n];
    EXPECT_EQ(p.loss_start, q.loss_start) << what;
    EXPECT_EQ(p.loss_last, q.loss_last) << what;
    EXPECT_EQ(p.adversarial_on_path, q.adversarial_on_path) << what;
    EXPECT_EQ(p.grad_zero, q.grad_zero) << what;
    EXPECT_EQ(p.not_finite, q.not_finite) << what;
  }
}

void check(const PgdOptions& o, bool free) {
  Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
  PurifyOptions purify;
  purify.t = 2;
  Defended target(&unet, classifier, purify, Backward::Full, 2, true);
  const NoiseStream stream = native_stream();
  const std::vector<int64_t> ids = {5, 8};
  const Buffer x = pictures("checkpoint", 2, 8);
  const std::vector<int> labels = {1, 4};
  KeyedNoise noise(stream, 3, ids);
  const StepNoise source = [&](int step) { noise.set_draw(free ? eot_draw(step, 1, 0) : 0); return &noise; };
  auto run = [&](PgdCheckpoint* c, const std::function<bool()>& stop) {
    return pgd(target, x.view(), labels.data(), {0.05, 0.1}, o, stream, 3, ids, source, c, stop);
  };
  const PgdResult whole = run(nullptr, {});
  EXPECT_FALSE(whole.stopped);
  const ScratchFolder folder(true);
  const std::string path = folder / "state.safetensors";
  const int total = o.steps * std::max(1, o.restarts);
  for (int at = 0; at < total; ++at) {
    const std::string what = "stopped before step " + std::to_string(at);
    PgdCheckpoint c;
    int asked = 0;
    const PgdResult half = run(&c, [&] { return asked++ == at; });
    ASSERT_TRUE(half.stopped && c.set) << what;
    EXPECT_EQ(c.restart * o.steps + c.step, at);
    save(path, "key", c);
    expect_equal(run(&c, {}), whole, what);   // the same object
    EXPECT_FALSE(c.set);
    PgdCheckpoint loaded;
    ASSERT_TRUE(load(path, "key", loaded)) << what;
    expect_equal(run(&loaded, {}), whole, what + ", from disk");
  }
  // One step at a time, through the disk each time.
  PgdCheckpoint c;
  PgdResult last;
  int passes = 0;
  do {
    int asked = 0;
    last = run(&c, [&] { return asked++ == 1; });
    if (!last.stopped) break;
    save(path, "key", c);
    c = PgdCheckpoint{};
    ASSERT_TRUE(load(path, "key", c));
  } while (++passes < 100);
  EXPECT_EQ(passes, total - 1);
  expect_equal(last, whole, "one step at a time");
}

}  // namespace

TEST(PgdCheckpoint, FixedNoise) { check(pgd_options(4), false); }

TEST(PgdCheckpoint, RestartsAndFreeNoise) {
  PgdOptions o = pgd_options(3);
  o.restarts = 2;
  check(o, true);
}

TEST(PgdCheckpoint, BestIterate) {
  PgdOptions o = pgd_options(3);
  o.best_iterate = true;
  o.relative_step = 1.3;
  check(o, false);
}

// Another key, or no file: nothing is taken over. A damaged state is an error, not a fresh start.
TEST(PgdCheckpoint, BelongsToItsKey) {
  const ScratchFolder folder(true);
  const std::string path = folder / "state.safetensors";
  PgdCheckpoint c, d;
  EXPECT_FALSE(load(path, "key", d));
  c.set = true;
  c.x = {1, 2, 3};
  c.result = {4, 5, 6};
  c.best_loss = {-1};
  c.zeros = {7};
  c.images.resize(1);
  c.images[0].loss_start = 0.1;
  c.result_images.resize(1);
  c.done = {1};
  c.step = 2;
  save(path, "key", c);
  EXPECT_FALSE(load(path, "other", d));
  EXPECT_FALSE(d.set);
  ASSERT_TRUE(load(path, "key", d));
  EXPECT_EQ(d.x, c.x);
  EXPECT_EQ(d.zeros, c.zeros);
  EXPECT_EQ(d.done, c.done);
  EXPECT_EQ(d.images[0].loss_start, 0.1);
  EXPECT_EQ(d.step, 2);
  const std::string bytes = slurp(path);
  spit(path, bytes.substr(0, bytes.size() - 5));
  EXPECT_EQ(exit_code_of([&] { load(path, "key", d); }), kBadInput);
}
