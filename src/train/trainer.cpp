#include "train/trainer.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>

#include "core/check.h"
#include "data/dataset.h"
#include "diffusion/schedule.h"
#include "io/output_check.h"
#include "io/progress.h"
#include "io/safetensors.h"
#include "io/signals.h"
#include "models/zoo.h"
#include "net/net.h"
#include "ops/labels.h"
#include "ops/ops.h"
#include "rng/train_stream.h"
#include "train/optimizer.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

std::string number(double v) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, v).ptr);
}

// The images of training step `step`, drawn with replacement-free passes over the data (a permutation per epoch), augmented.
class Batches {
 public:
  Batches(const TrainOptions& o, const Dataset& data)
      : o_(o), data_(data), stream_(o.seed), host_(o.batch, data.channels, data.height, data.width, Device::Cpu), how_(o.batch) {}

  // x [batch, c, h, w], on any device.
  void load(int64_t step, View x, std::vector<int>& labels) {
    const int64_t count = data_.count();
    for (int n = 0; n < x.n; ++n) {
      const int64_t position = step * x.n + n, epoch = position / count;
      if (epoch != epoch_) {
        order_.resize(count);
        stream_.permutation({.step = epoch, .image = 0, .purpose = TrainPurpose::Shuffle}, order_.data(), count);
        epoch_ = epoch;
      }
      const int pick = static_cast<int>(order_[position % count]);
      labels[n] = data_.labels[pick];
      std::copy_n(data_.image(pick), x.image_size(), host_.view().image(n));
      how_[n] = augmentation(step, n);
    }
    augment_forward(how_.data(), Mirror(host_.view(), x.device).view(), x);
  }

 private:
  // Horizontal flip with probability 1/2; crop = a shift by -4..4 pixels, zero outside.
  Augmentation augmentation(int64_t step, int n) const {
    Augmentation a;
    a.flip = o_.augment != "none" && stream_.below({.step = step, .image = n, .purpose = TrainPurpose::Flip}, 2);
    if (o_.augment == "crop-flip") {
      a.down = static_cast<int>(stream_.below({.step = step, .image = n, .purpose = TrainPurpose::Crop}, 9, 0)) - 4;
      a.right = static_cast<int>(stream_.below({.step = step, .image = n, .purpose = TrainPurpose::Crop}, 9, 1)) - 4;
    }
    return a;
  }

  const TrainOptions& o_;
  const Dataset& data_;
  TrainStream stream_;
  Buffer host_;
  std::vector<Augmentation> how_;
  std::vector<int64_t> order_;
  int64_t epoch_ = -1;
};

// Everything that a run carries from one step to the next.
struct State {
  std::shared_ptr<Params> params;
  Params m, v, average;
  int64_t step = 0;
  double last_loss = 0;                     // mean over the last report window
  double window = 0;                        // sum of the losses since the last report
  int64_t in_window = 0;
  explicit State(const Model& model) : params(std::make_shared<Params>(model)), m(model), v(model), average(model) {}
};

constexpr Dtype kStateDtype = sizeof(real) == 8 ? Dtype::F64 : Dtype::F32;

// What must not change when a run resumes.
std::string fingerprint(const TrainOptions& o, const Model& model, const Dataset& data) {
  return o.what + " " + model.arch + " data=" + data.sha256 + " steps=" + std::to_string(o.steps) + " batch=" + std::to_string(o.batch) +
         " lr=" + number(o.lr) + " ema=" + number(o.ema) + " decay=" + number(o.weight_decay) + " t_max=" + std::to_string(o.t_max) +
         " augment=" + o.augment + " noise=" + number(o.noise_augment) + " seed=" + std::to_string(o.seed) + " init=" + o.init + (sizeof(real) == 8 ? " f64" : " f32");
}

void save_state(const State& s, const Model& model, const std::string& path, const std::string& print) {
  std::vector<TensorOut> tensors;
  std::deque<Mirror> hosts;   // keeps what the tensors point to
  const std::pair<const char*, const Params*> parts[] = {{"param.", s.params.get()}, {"m.", &s.m}, {"v.", &s.v}, {"average.", &s.average}};
  for (auto [prefix, params] : parts)
    for (size_t i = 0; i < model.params.size(); ++i)
      tensors.push_back({prefix + model.params[i].key, kStateDtype, model.params[i].shape, hosts.emplace_back(params->view(static_cast<int>(i))).data()});
  write_safetensors(path, tensors, {{"step", std::to_string(s.step)}, {"run", print}, {"loss", number(s.last_loss)},
                                {"window", number(s.window)}, {"in_window", std::to_string(s.in_window)}});
}

void load_state(State& s, const Model& model, const std::string& path, const std::string& print) {
  const Safetensors file(path);
  const auto run = file.metadata().find("run");
  if (run == file.metadata().end() || run->second != print)
    fail(kConfigMismatch, "the saved state belongs to another run\n    saved:     " + (run == file.metadata().end() ? "?" : run->second) +
         "\n    asked for: " + print, path, "repeat the options of the first run, or start anew without --resume");
  const std::pair<const char*, const Params*> parts[] = {{"param.", s.params.get()}, {"m.", &s.m}, {"v.", &s.v}, {"average.", &s.average}};
  for (auto [prefix, params] : parts)
    for (size_t i = 0; i < model.params.size(); ++i) {
      const TensorInfo* t = file.find(prefix + model.params[i].key);
      if (!t || t->dtype != kStateDtype || t->shape != model.params[i].shape)
        fail(kBadInput, "the state lacks " + (prefix + model.params[i].key), path, "start anew without --resume");
      const Mirror host(params->view(static_cast<int>(i)), Device::Cpu, Mirror::Load::No);
      file.read(*t, host.data());
      host.store();
    }
  s.step = std::stoll(file.metadata().at("step"));
  s.last_loss = std::stod(file.metadata().at("loss"));
  s.window = std::stod(file.metadata().at("window"));
  s.in_window = std::stoll(file.metadata().at("in_window"));
}

// One kind of training: fills the net's input from images, of any device, runs it, and leaves the gradients of the mean loss. Returns the loss.
class Task {
 public:
  Task(const TrainOptions& o, Net& net) : o_(o), net_(net), stream_(o.seed), schedule_(linear_schedule()) {}

  // `step` keys the noise; backward = false gives the loss alone.
  double run(int64_t step, View images, const std::vector<int>& labels, bool backward) {
    return o_.what == "ddpm" ? ddpm(step, images, backward) : classifier(step, images, labels, backward);
  }
  int correct() const { return correct_; }

 private:
  // Ho et al. 2020, eq. 14: mean of (eps - net(sqrt(abar_t) x + sqrt(1 - abar_t) eps, t))^2, x in [-1, 1].
  double ddpm(int64_t step, View images, bool backward) {
    const View x = net_.input();
    Buffer eps(x.n, x.c, x.h, x.w);
    std::vector<NativeCounter> noise;
    std::vector<real> times(x.n);
    std::vector<double> a(x.n), b(x.n);
    for (int n = 0; n < x.n; ++n) {
      noise.push_back(stream_.counter({.step = step, .image = n, .purpose = TrainPurpose::Noise}));
      const int t = static_cast<int>(stream_.below({.step = step, .image = n, .purpose = TrainPurpose::Timestep}, o_.t_max));
      times[n] = static_cast<real>(t);
      a[n] = std::sqrt(schedule_.abar[t]);
      b[n] = std::sqrt(1 - schedule_.abar[t]);
    }
    noise_fill_native(NoiseKind::Normal, noise.data(), eps.view());
    from_host(times.data(), net_.time());
    noising_forward(a.data(), b.data(), Mirror(images, net_.device()).view(), eps.view(), x);
    net_.forward();
    const View y = net_.output();
    double loss = 0;
    squared_error(y, eps.view(), 2.0 / y.size(), backward ? net_.output_grad() : View{}, &loss);
    if (backward) net_.backward();
    return loss / y.size();
  }

  // Mean cross-entropy over the batch.
  double classifier(int64_t step, View images, const std::vector<int>& labels, bool backward) {
    const View x = net_.input();
    transfer(images, x);
    if (backward && o_.noise_augment > 0) add_noise(step, x);
    net_.forward();
    const View z = net_.output();
    Buffer losses(z.n, 1, 1, 1);
    const DeviceLabels there(labels.data(), z.n, z.device);
    cross_entropy_forward(z, there.data(), losses.view());
    std::vector<int> predictions(z.n);
    first_maximum(z, predictions.data());
    correct_ = 0;
    accum loss = 0;
    for (real v : to_host(losses.view())) loss += v;
    for (int n = 0; n < z.n; ++n) correct_ += predictions[n] == labels[n];
    if (backward) {
      cross_entropy_backward(z, there.data(), 1.0 / z.n, net_.output_grad());
      net_.backward();
    }
    return loss / z.n;
  }

  // To every image noise of its own strength, uniform between 0 and noise_augment.
  void add_noise(int64_t step, View x) const {
    Buffer z(x.n, x.c, x.h, x.w);
    std::vector<NativeCounter> keys;
    std::vector<double> sigma;
    for (int n = 0; n < x.n; ++n) {
      keys.push_back(stream_.counter({.step = step, .image = n, .purpose = TrainPurpose::Noise}));
      sigma.push_back(o_.noise_augment * stream_.uniform({.step = step, .image = n, .purpose = TrainPurpose::Other}));
    }
    noise_fill_native(NoiseKind::Normal, keys.data(), z.view());
    add_noise_forward(sigma.data(), z.view(), x);
  }

  const TrainOptions& o_;
  Net& net_;
  TrainStream stream_;
  Schedule schedule_;
  int correct_ = 0;
};

// Loss (and accuracy of a classifier) of these parameters on held-out images; the noise is the same at every call.
std::string evaluate(const TrainOptions& o, const Model& model, const std::shared_ptr<Params>& params, const Dataset& data) {
  const Model eval = make_model(model.arch);  // batch normalisation with running statistics
  Net net(eval, params);
  TrainOptions fixed = o;
  fixed.seed = -1;
  Task task(fixed, net);
  accum loss = 0;
  int correct = 0, done = 0;
  for (int chunk = 50; done < data.count(); done += chunk) {
    chunk = std::min(chunk, data.count() - done);
    net.plan(chunk, Mode::Forward);
    Buffer images(chunk, data.channels, data.height, data.width, Device::Cpu);
    for (size_t i = 0; i < images.size(); ++i) images.data()[i] = data.image(done)[i];
    loss += chunk * task.run(done, images.view(), {data.labels.begin() + done, data.labels.begin() + done + chunk}, false);
    correct += task.correct();
  }
  char text[96];
  if (o.what == "ddpm") std::snprintf(text, sizeof text, "held-out loss %.5f", loss / done);
  else std::snprintf(text, sizeof text, "held-out loss %.4f accuracy %.1f %% (%d of %d)", loss / done, 100.0 * correct / done, correct, done);
  return text;
}

double learning_rate(const TrainOptions& o, int64_t step) {
  const double warm = std::max<double>(1, std::min<double>(500, o.steps / 50.0));
  if (step < warm) return o.lr * (step + 1) / warm;
  const double done = (step - warm) / std::max<double>(1, o.steps - warm);
  return o.lr * (0.01 + 0.99 * 0.5 * (1 + std::cos(M_PI * done)));
}

std::map<std::string, std::string> metadata(const TrainOptions& o, const Model& model, const Dataset& data, const State& s, const std::string& held_out) {
  std::map<std::string, std::string> m = {
      {"arch", model.arch}, {"kind", o.what}, {"data", o.data}, {"data_sha256", data.sha256}, {"seed", std::to_string(o.seed)},
      {"steps", std::to_string(s.step)}, {"batch", std::to_string(o.batch)}, {"final_loss", number(s.last_loss)}, {"command", o.command}};
  if (o.what == "ddpm") m["t_max"] = std::to_string(o.t_max);
  if (o.noise_augment > 0) m["noise_augment"] = number(o.noise_augment);
  if (!held_out.empty()) m["held_out"] = held_out;
  return m;
}

void check_options(const TrainOptions& o, const Model& model, const Dataset& data) {
  const ValueInfo in = model.values[model.input];
  if (is_purifier(model) != (o.what == "ddpm"))
    fail(kUsage, "train " + o.what + " cannot train " + model.arch, "--arch", o.what == "ddpm" ? "name a ddpm-unet" : "name a classifier");
  if (in.h != data.height || in.w != data.width || in.c != data.channels)
    fail(kUsage, "the network takes " + std::to_string(in.h) + "x" + std::to_string(in.w) + " images, the data has " +
         std::to_string(data.height) + "x" + std::to_string(data.width), model.arch, "give size= in --arch");
  if (o.what == "classifier" && model.values[model.output].c < data.classes)
    fail(kUsage, "the data has " + std::to_string(data.classes) + " classes, the network " + std::to_string(model.values[model.output].c), model.arch, "give classes= in --arch");
  if (o.t_max < 1 || o.t_max > kDiffusionSteps) fail(kUsage, "--t-max is outside 1..1000", std::to_string(o.t_max), "purification to t* needs --t-max of at least t*");
  if (o.augment != "none" && o.augment != "flip" && o.augment != "crop-flip") fail(kUsage, "unknown --augment " + o.augment, "", "none, flip or crop-flip");
  if (!o.resume && (access(o.out.c_str(), F_OK) == 0 || access((o.out + ".state").c_str(), F_OK) == 0))
    fail(kCannotCreate, "the output exists", o.out, "choose another --out, remove it, or continue with --resume");
  require_creatable(o.out);
}

// One training run: the loop and what it prints and saves.
class Run {
 public:
  Run(const TrainOptions& o, const Model& model, const Dataset& data, const Dataset& held_out)
      : o_(o), model_(model), data_(data), held_out_(held_out), print_(fingerprint(o, model, data)), state_path_(o.out + ".state"), state_(model),
        net_(model, state_.params), task_(o, net_), batches_(o, data), images_(o.batch, data.channels, data.height, data.width), labels_(o.batch) {
    start();
    net_.plan(o.batch, Mode::Training);
    adam_.weight_decay = o.weight_decay;
    fprintf(stderr, "train %s: %s, %lld parameters, %d images, arena %.1f MB, %lld steps of %d\n", o.what.c_str(), model.arch.c_str(),
            static_cast<long long>(model.parameter_count()), data.count(), net_.current_plan().arena * sizeof(real) / 1e6,
            static_cast<long long>(o.steps), o.batch);
  }

  int run() {
    const int64_t first = state_.step;
    const auto begin = std::chrono::steady_clock::now();
    while (state_.step < o_.steps && !stop_requested()) {
      one_step();
      if (state_.step % 100 == 0 || state_.step == o_.steps) {
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        report(seconds / (state_.step - first));
      }
      if (state_.step % o_.save_every == 0 && state_.step < o_.steps) {
        save_state(state_, model_, state_path_, print_);
        if (held_out_.count()) fprintf(stderr, "step %lld %s (averaged weights)\n", static_cast<long long>(state_.step), held_out().c_str());
      }
    }
    return state_.step < o_.steps ? stopped() : finished();
  }

 private:
  // Where the weights come from: the saved state, given weights, or fresh ones.
  void start() {
    if (o_.resume) {
      load_state(state_, model_, state_path_, print_);
      return;
    }
    if (o_.init.empty()) {
      initialise(model_, o_.seed, *state_.params);
    } else {
      const auto given = Params::load(model_, o_.init, true);
      for (int i = 0; i < given->count(); ++i) copy_forward(given->view(i), state_.params->view(i));
    }
    ema_step(0, model_, *state_.params, state_.average);
  }

  void one_step() {
    batches_.load(state_.step, images_.view(), labels_);
    net_.grads().fill_zero();
    const double loss = task_.run(state_.step, images_.view(), labels_, true);
    norm_ = adam_step(adam_, model_, state_.step + 1, learning_rate(o_, state_.step), net_.grads(), state_.m, state_.v, *state_.params);
    if (!std::isfinite(loss) || !std::isfinite(norm_))
      fail(kBadInput, "the loss is not finite at step " + std::to_string(state_.step), o_.out, "lower --lr; the last saved state is " + state_path_);
    ema_step(std::min(o_.ema, (1.0 + state_.step) / (10.0 + state_.step)), model_, *state_.params, state_.average);
    ++state_.step;
    state_.window += loss;
    ++state_.in_window;
  }

  // The mean loss since the last report.
  void report(double seconds_per_step) {
    state_.last_loss = state_.window / state_.in_window;
    state_.window = 0;
    state_.in_window = 0;
    fprintf(stderr, "step %lld/%lld loss %.5f gradient %.3f lr %.2e %.3f s/step eta %s\n", static_cast<long long>(state_.step),
            static_cast<long long>(o_.steps), state_.last_loss, norm_, learning_rate(o_, state_.step), seconds_per_step,
            format_duration(seconds_per_step * (o_.steps - state_.step)).c_str());
  }

  std::string held_out() {
    return evaluate(o_, model_, std::shared_ptr<Params>(&state_.average, [](Params*) {}), held_out_);
  }

  int stopped() {
    save_state(state_, model_, state_path_, print_);
    fprintf(stderr, "stopped at step %lld; continue with the same command and --resume\n", static_cast<long long>(state_.step));
    return kStopped;
  }

  int finished() {
    const std::string last = held_out_.count() ? held_out() : "";
    save_params(state_.average, model_, o_.out, metadata(o_, model_, data_, state_, last));
    unlink(state_path_.c_str());
    fprintf(stderr, "wrote %s (sha256 of the weights %s) %s\n", o_.out.c_str(), state_.average.sha256().c_str(), last.c_str());
    return kOk;
  }

  const TrainOptions& o_;
  const Model& model_;
  const Dataset &data_, &held_out_;
  std::string print_, state_path_;
  State state_;
  Net net_;
  Task task_;
  Batches batches_;
  Buffer images_;
  std::vector<int> labels_;
  AdamConfig adam_;
  double norm_ = 0;
};

}  // namespace

int train(const TrainOptions& o) {
  const Model model = make_model(o.arch, o.what == "classifier");
  const Dataset data = load_dataset(o.data, 0, o.count);
  check_options(o, model, data);
  const Dataset held_out = o.held_out.empty() ? Dataset() : load_dataset(o.held_out, 0, o.held_out_count);
  install_stop_handlers();
  return Run(o, model, data, held_out).run();
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
