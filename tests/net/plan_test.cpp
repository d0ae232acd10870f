// The plan: backward list, liveness, and that nothing a plan may choose changes a bit of any result.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "models/zoo.h"
#include "net/small_nets.h"
#include "threads.h"

using namespace purescope;

namespace {

void expect_same(const Pass& a, const Pass& b, const std::string& what) {
  Comparison r = compare_bits(a.out, b.out);
  EXPECT_TRUE(r) << what << ", output: " << r.message;
  r = compare_bits(a.dx, b.dx);
  EXPECT_TRUE(r) << what << ", dx: " << r.message;
  EXPECT_GT(norm({a.dx.begin(), a.dx.end()}), 0) << what;
  ASSERT_EQ(a.dparams.size(), b.dparams.size()) << what;
  for (size_t p = 0; p < a.dparams.size(); ++p) {
    r = compare_bits(a.dparams[p], b.dparams[p]);
    EXPECT_TRUE(r) << what << ", parameter " << p << ": " << r.message;
  }
}

// Values with their number of readers among the lines of the backward list that want their gradient.
std::map<int, int> consumers(const Plan& plan, std::map<int, int>& adds) {
  std::map<int, int> count;
  for (const BackwardLine& line : plan.backward) {
    if (line.kind == BackwardLine::Add) { ++adds[line.value]; continue; }
    for (int v : line.dx) if (v >= 0) ++count[v];
  }
  return count;
}

// A slot and the moments it holds a value: forward step i is moment i, the caller's turn is S, backward line j S + 1 + j.
struct Alive { std::string name; size_t from, to; int first, last; };

// Liveness by brute force, from what the steps read and write and nothing of the planner's own book-keeping.
std::vector<Alive> alive_slots(const Model& m, const Plan& plan) {
  const int turn = static_cast<int>(m.steps.size()), end = turn + 1 + static_cast<int>(plan.backward.size());
  std::map<std::string, Alive> slots;
  auto touch = [&](const std::string& name, size_t offset, size_t size, int when) {
    ASSERT_NE(offset, kNoSlot) << name << " is used and has no slot";
    auto [it, fresh] = slots.insert({name, Alive{name, offset, offset + size, when, when}});
    it->second.first = std::min(it->second.first, when);
    it->second.last = std::max(it->second.last, when);
    it->second.to = std::max(it->second.to, offset + size);
  };
  auto size = [&](int v) { return static_cast<size_t>(plan.batch) * m.values[v].c * m.values[v].h * m.values[v].w; };
  auto value = [&](int v, int when) { touch("value " + std::to_string(v), plan.value[v], size(v), when); };
  auto grad = [&](int v, int when) { touch("grad " + std::to_string(v), plan.grad[v], size(v), when); };
  // What a backward line reads: the value, or what was computed again in its place.
  auto kept = [&](int v, int when) {
    if (plan.again[v] == kNoSlot) value(v, when);
    else touch("again " + std::to_string(v), plan.again[v], size(v), when);
  };
  auto signs = [&](int i, int when) {
    touch("signs " + std::to_string(i), plan.signs[i], plan.batch * sign_reals(size(m.steps[i].out) / plan.batch), when);
  };
  value(m.input, -1);
  value(m.input, turn);
  if (m.time >= 0) value(m.time, -1);
  value(m.output, turn);
  for (int i = 0; i < turn; ++i) {
    const Step& s = m.steps[i];
    value(s.out, i);
    for (int v : s.in) if (v >= 0) value(v, i);
    if (s.saved) touch("saved " + std::to_string(i), plan.saved[i], static_cast<size_t>(s.saved) * plan.batch, i);
    if (plan.signs[i] != kNoSlot) signs(i, i);
  }
  if (plan.mode == Mode::Forward) { EXPECT_TRUE(plan.backward.empty()); }
  else { grad(m.output, turn); grad(m.input, end); }
  for (size_t j = 0; j < plan.backward.size(); ++j) {
    const BackwardLine& line = plan.backward[j];
    const Step& s = m.steps[line.step];
    const int when = turn + 1 + static_cast<int>(j);
    if (line.kind == BackwardLine::Add) {
      grad(line.value, when);
      touch("scratch " + std::to_string(line.scratch) + " of " + std::to_string(line.step), plan.scratch[line.scratch],
            size(line.value), when);
      continue;
    }
    if (line.kind == BackwardLine::Again) {
      for (int v : s.in) if (v >= 0) kept(v, when);
      touch("again " + std::to_string(s.out), plan.again[s.out], size(s.out), when);
      continue;
    }
    grad(s.out, when);
    for (int k = 0; k < kMaxInputs; ++k) {
      if (line.dx[k] < 0) continue;
      if (line.to_scratch[k])
        touch("scratch " + std::to_string(k) + " of " + std::to_string(line.step), plan.scratch[k], size(line.dx[k]),
              when);
      else grad(line.dx[k], when);
    }
    const bool weights = plan.mode == Mode::Training;
    if (s.op == Op::GroupNorm || s.op == Op::Silu || s.op == Op::Attention || s.op == Op::AttentionPacked) kept(s.in[0], when);
    if (s.op == Op::ScaleShift && line.dx[0] >= 0) kept(s.in[1], when);
    if (s.op == Op::ScaleShift && line.dx[1] >= 0) kept(s.in[0], when);
    if (s.op == Op::Attention) { kept(s.in[1], when); kept(s.in[2], when); }
    if (s.op == Op::Relu && plan.lean) signs(line.step, when);
    if (s.op == Op::Relu && !plan.lean) value(s.out, when);
    if ((s.op == Op::Conv2d || s.op == Op::Linear || s.op == Op::Nin || s.op == Op::BatchNorm) && weights) value(s.in[0], when);
    if (s.op == Op::BatchNorm && s.batch_norm.training) value(s.in[0], when);
    if (s.saved)
      touch("saved " + std::to_string(line.step), plan.saved[line.step], static_cast<size_t>(s.saved) * plan.batch,
            when);
  }
  std::vector<Alive> list;
  for (const auto& [name, slot] : slots) list.push_back(slot);
  return list;
}

// Pairs that share memory while both hold a value.
int overlaps(const std::vector<Alive>& slots, size_t arena) {
  int found = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].to > arena) ++found;
    for (size_t j = 0; j < i; ++j) {
      const Alive &a = slots[i], &b = slots[j];
      if (a.first <= b.last && b.first <= a.last && a.from < b.to && b.from < a.to) ++found;
    }
  }
  return found;
}

}  // namespace

TEST(Plan, KeepEverythingChangesNoBit) {
  for (const NamedModel& m : small_models()) {
    Net net = formula_net(m.make());
    net.plan(3, Mode::Training, true);
    const Pass all = run_pass(net);
    net.plan(3, Mode::Training);
    const Pass planned = run_pass(net);
    expect_same(planned, all, m.name);
    expect_same(run_pass(net), all, m.name + " again");  // nothing is left over from the pass before
#ifndef PURESCOPE_DEBUG  // debug builds always keep everything
    EXPECT_LT(net.current_plan().arena, net.current_plan().value_sum + net.current_plan().grad_sum) << m.name;
#endif
    Pass changed = planned;
    changed.dx[changed.dx.size() / 2] = std::nextafter(changed.dx[changed.dx.size() / 2], real(9));
    EXPECT_FALSE(compare_bits(changed.dx, all.dx));  // control: one bit is seen
  }
}

TEST(Plan, InputGradientIsTheSameWithAndWithoutWeightGradients) {
  for (const NamedModel& m : small_models()) {
    Net net = formula_net(m.make());
    net.plan(2, Mode::Training);
    const Pass training = run_pass(net);
    const size_t arena = net.current_plan().arena;
    net.plan(2, Mode::InputGrad);
    Pass input = run_pass(net);
    EXPECT_TRUE(input.dparams.empty());
    input.dparams = training.dparams;
    expect_same(input, training, m.name);
#ifndef PURESCOPE_DEBUG
    EXPECT_LT(net.current_plan().arena, arena) << m.name;
#endif
    net.plan(2, Mode::Forward);
    const Comparison out = compare_bits(run_pass(net).out, training.out);
    EXPECT_TRUE(out) << m.name << ": " << out.message;
  }
}

TEST(Plan, ImageInABatchIsTheImageAlone) {
  for (const NamedModel& m : small_models()) {
    if (m.name == "resnet_batch_statistics") continue;  // its images are coupled by definition; the next test has it
    Net batch = formula_net(m.make()), alone(batch.model(), batch.shared_params());
    batch.plan(5, Mode::InputGrad);
    alone.plan(1, Mode::InputGrad);
    const Pass all = run_pass(batch, 10);
    const size_t out = all.out.size() / 5, dx = all.dx.size() / 5;
    for (int n = 0; n < 5; ++n) {
      const Pass one = run_pass(alone, 10 + n);
      EXPECT_TRUE(compare_bits(one.out.data(), all.out.data() + n * out, out)) << m.name << " image " << n;
      EXPECT_TRUE(compare_bits(one.dx.data(), all.dx.data() + n * dx, dx)) << m.name << " image " << n;
      EXPECT_FALSE(compare_bits(one.dx.data(), all.dx.data() + (n + 1) % 5 * dx, dx)) << "control: images differ";
    }
  }
}

// Batches that fill a tile of a device's products, cut one, or leave most of it empty.
TEST(Plan, BatchesOf1And2And7And64GiveTheSameBits) {
  const NamedModel m = small_models()[0];
  Net net = formula_net(m.make());
  net.plan(64, Mode::InputGrad);
  const Pass all = run_pass(net, 3);
  const size_t out = all.out.size() / 64, dx = all.dx.size() / 64;
  for (const int count : {1, 2, 7}) {
    net.plan(count, Mode::InputGrad);
    const Pass some = run_pass(net, 3);
    EXPECT_TRUE(compare_bits(some.out.data(), all.out.data(), count * out)) << m.name << ", batch of " << count;
    EXPECT_TRUE(compare_bits(some.dx.data(), all.dx.data(), count * dx)) << m.name << ", batch of " << count;
    EXPECT_FALSE(compare_bits(some.dx.data(), all.dx.data() + dx, dx)) << "control: images differ";
  }
}

// A lean plan has another backward list and another arena, and the same result, also after other images have been through it.
TEST(Plan, LeanPlansChangeNoBit) {
  int again = 0, signs = 0;
  for (const NamedModel& m : small_models()) {
    Net net = formula_net(m.make());
    net.plan(2, Mode::InputGrad);
    const Pass plain = run_pass(net);
    net.set_lean(true);
    net.plan(2, Mode::InputGrad);
    run_pass(net, 7);
    expect_same(run_pass(net), plain, m.name);
    const Plan lean = make_plan(net.model(), 2, Mode::InputGrad, false, true), usual = make_plan(net.model(), 2, Mode::InputGrad, false);
    for (int v = 0; v < static_cast<int>(lean.again.size()); ++v) again += lean.again[v] != kNoSlot;
    for (size_t offset : lean.signs) signs += offset != kNoSlot;
    EXPECT_EQ(overlaps(alive_slots(net.model(), lean), lean.arena), 0) << m.name;
    EXPECT_LE(lean.arena, usual.arena + usual.arena / 8) << m.name;
    EXPECT_FALSE(make_plan(net.model(), 2, Mode::Training, false, true).lean) << "weight gradients read what a lean plan drops";
  }
  EXPECT_GT(again, 3);
  EXPECT_GT(signs, 3);
}

// On the full-size networks it is what it is for.
TEST(Plan, LeanPlansAreSmaller) {
  const auto arena = [](const char* arch, bool lean) {
    return static_cast<double>(make_plan(make_model(arch, false), 1, Mode::InputGrad, false, lean).arena);
  };
#ifndef PURESCOPE_DEBUG  // whose red zones move slots
  EXPECT_LT(arena("adm-256", true), 500e6);       // values
  EXPECT_LT(arena("ddpm-cifar10", true), 5.1e6);
#endif
  // Norms with SiLU keep no more in the usual plan than in the lean one: little is left to gain on top.
  EXPECT_LT(arena("adm-256", true), 0.85 * arena("adm-256", false));
  EXPECT_LE(arena("ddpm-cifar10", true), arena("ddpm-cifar10", false));
  EXPECT_LT(arena("resnet50", true), 0.5 * arena("resnet50", false));
  EXPECT_LT(arena("wrn-28-10", true), 0.5 * arena("wrn-28-10", false));
}

TEST(Plan, ThreadsChangeNoBit) {
  for (const NamedModel& m : small_models()) {
    Net net = formula_net(m.make());
    net.plan(5, Mode::Training);
    Pass one;
    { Threads t(1); one = run_pass(net); }
    for (int threads : {2, 3}) {
      Threads t(threads);
      expect_same(run_pass(net), one, m.name + " with " + std::to_string(threads) + " threads");
    }
  }
}

TEST(Plan, FewerImagesThanPlanned) {
  for (const NamedModel& m : small_models()) {
    Net net = formula_net(m.make());
    net.plan(2, Mode::Training);
    const Pass exact = run_pass(net);
    net.plan(5, Mode::Training);
    run_pass(net, 50);  // leaves other images behind
    net.set_batch(2);
    EXPECT_EQ(net.input().n, 2);
    EXPECT_EQ(net.output_grad().n, 2);
    expect_same(run_pass(net), exact, m.name);
    net.set_batch(5);
    EXPECT_EQ(net.input().n, 5);
    EXPECT_THROW(net.set_batch(6), Error);
    EXPECT_THROW(net.set_batch(0), Error);
  }
}

TEST(Plan, AnotherArenaChangesNoBit) {
  Net net = formula_net(small_models()[2].make());
  net.plan(2, Mode::InputGrad);
  const Pass own = run_pass(net);
  const Buffer other(net.current_plan().arena);
  net.use_arena(&other);
  const Pass first = run_pass(net);
  EXPECT_GE(net.output().data, other.data());
  EXPECT_LT(net.output().data, other.data() + other.size());
  expect_same(first, own, "borrowed arena");
  // Forward in one arena, forward of another image in the own one, then back: the first image's gradient.
  fill_inputs(net);
  net.forward();
  net.use_arena(nullptr);
  fill_inputs(net, 7);
  net.forward();
  net.use_arena(&other);
  fill_cotangent(net);
  net.backward();
  EXPECT_TRUE(compare_bits(values_of(net.input_grad()), own.dx));
}

TEST(Plan, SlotsAliveTogetherNeverOverlap) {
  std::vector<NamedModel> models = small_models();
  models.push_back({"ddpm-cifar10", [] { return make_model("ddpm-cifar10"); }, true});
  models.push_back({"wrn-28-10", [] { return make_model("wrn-28-10"); }, false});
  for (const NamedModel& m : models) {
    const Model model = m.make();
    for (Mode mode : {Mode::Forward, Mode::InputGrad, Mode::Training})
      for (int batch : {1, 3}) {
        const Plan plan = make_plan(model, batch, mode, false);
        std::vector<Alive> slots = alive_slots(model, plan);
        EXPECT_EQ(overlaps(slots, plan.arena), 0)
            << m.name << ", mode " << static_cast<int>(mode) << ", batch " << batch;
        const Plan all = make_plan(model, batch, mode, true);
        for (Alive& slot : slots = alive_slots(model, all)) { slot.first = -1; slot.last = 1 << 30; }
        // With everything kept no two slots share memory; scratch is one slot per input position, reused by design.
        std::erase_if(slots, [](const Alive& slot) { return slot.name.rfind("scratch", 0) == 0; });
        EXPECT_EQ(overlaps(slots, all.arena), 0) << m.name;
        EXPECT_LT(plan.arena, all.arena) << m.name;
      }
    // Control: all alive all the time do overlap in the planned arena.
    const Plan plan = make_plan(model, 1, Mode::InputGrad, false);
    std::vector<Alive> slots = alive_slots(model, plan);
    for (Alive& slot : slots) { slot.first = -1; slot.last = 1 << 30; }
    EXPECT_GT(overlaps(slots, plan.arena), 0) << m.name;
  }
}

TEST(Plan, EveryFanInHasOneAddLessThanConsumers) {
  for (const NamedModel& m : small_models()) {
    const Model model = m.make();
    for (Mode mode : {Mode::InputGrad, Mode::Training}) {
      const Plan plan = make_plan(model, 2, mode, false);
      std::map<int, int> adds;
      const std::map<int, int> readers = consumers(plan, adds);
      for (const auto& [v, count] : readers) EXPECT_EQ(adds[v], count - 1) << m.name << " value " << v;
      for (const auto& [v, count] : adds)
        EXPECT_EQ(count, readers.count(v) ? readers.at(v) - 1 : -1) << m.name << " value " << v;
      EXPECT_EQ(readers.at(model.input), 1);
    }
  }
  // The whole list of a network of six steps, written out: op lines by step name, add lines by value.
  Builder b("diamond");
  const Value x = b.input(2, 3, 3);
  const Value a = b.silu("a", x), c = b.silu("c", a);
  const Value d = b.add("d", a, c), e = b.add("e", d, x);
  const Model model = b.finish(b.concat("f", e, a));
  const Plan plan = make_plan(model, 1, Mode::InputGrad, false);
  std::vector<std::string> lines;
  for (const BackwardLine& line : plan.backward) {
    std::string text =
        line.kind == BackwardLine::Add ? "add " + std::to_string(line.value) : model.steps[line.step].name;
    for (int k = 0; k < kMaxInputs && line.kind == BackwardLine::Op; ++k)
      if (line.dx[k] >= 0) text += (line.to_scratch[k] ? " scratch " : " d") + std::to_string(line.dx[k]);
    lines.push_back(text);
  }
  const std::string av = std::to_string(a.id), cv = std::to_string(c.id), dv = std::to_string(d.id),
                    ev = std::to_string(e.id), xv = std::to_string(x.id);
  EXPECT_EQ(lines,
            (std::vector<std::string>{"f d" + ev + " d" + av, "e d" + dv + " d" + xv, "d scratch " + av + " d" + cv,
                                      "add " + av, "c scratch " + av, "add " + av, "a scratch " + xv, "add " + xv}));
}

// Without weight gradients nothing that only leads to the time or to weights is computed.
TEST(Plan, OnlyWantedGradientsAreComputed) {
  const Model model = mixed_model(false);
  const Plan input = make_plan(model, 1, Mode::InputGrad, false), training = make_plan(model, 1, Mode::Training, false);
  auto names = [&](const Plan& plan) {
    std::set<std::string> set;
    for (const BackwardLine& line : plan.backward) set.insert(model.steps[line.step].name);
    return set;
  };
  EXPECT_EQ(names(input).count("e"), 0u);
  EXPECT_EQ(names(training).count("e"), 1u);
  EXPECT_EQ(names(training).count("sinusoid"), 0u);
  EXPECT_EQ(names(input).count("conv_in"), 1u);
  EXPECT_TRUE(make_plan(model, 1, Mode::Forward, false).backward.empty());
  Net net = formula_net(model);
  net.plan(1, Mode::Forward);
  EXPECT_THROW(net.backward(), Error);
  EXPECT_THROW(net.grads(), Error);
}

TEST(Plan, CallbacksSeeEveryStepAndLine) {
  Net net = formula_net(mixed_model(true));
  net.plan(1, Mode::InputGrad);
  int steps = 0, lines = 0;
  net.on_step = [&](int i) { EXPECT_EQ(i, steps++); };
  net.on_backward_line = [&](int j) { EXPECT_EQ(j, lines++); };
  run_pass(net);
  EXPECT_EQ(steps, static_cast<int>(net.model().steps.size()));
  EXPECT_EQ(lines, static_cast<int>(net.current_plan().backward.size()));
}
