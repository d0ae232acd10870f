// purify and gradient: the whole chain on an array of images, in passes of a few images with the noise of each image's
// own key.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "cli/commands.h"
#include "cli/load.h"
#include "core/check.h"
#include "io/image_grid.h"
#include "io/json_text.h"
#include "io/output_check.h"
#include "io/safetensors.h"
#include "io/signals.h"
#include "ops/labels.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

int one_t(const PurifyFlags& f) {
  if (f.t.size() != 1)
    fail(kUsage, "--t holds " + std::to_string(f.t.size()) + " values", "--t", "this command takes one t*");
  return f.t[0];
}

// The noise of a run over `total` images: a file, keyed streams, or either with a record of what was drawn.
class RunNoise {
 public:
  RunNoise(const NoiseFlags& f, int total) : flags_(f), stream_(f.mode), total_(total) {
    if (f.seeds.size() != 1)
      fail(kUsage, "--seed holds " + std::to_string(f.seeds.size()) + " values", "--seed",
           "this command takes one seed");
    if (!f.file.empty() && f.first_index != 0)
      fail(kUsage, "the noise of a file has no image index", "--first-index with --noise " + f.file,
           "leave --first-index out, or draw the noise with --seed");
    if (!f.file.empty())
      whole_ = std::make_unique<FileNoise>(f.file);
    else if (!f.export_to.empty())
      whole_ = keyed(0, total);
    if (!f.export_to.empty()) record_ = std::make_unique<RecordedNoise>(*whole_);
  }
  // The source for the images [first, first + count). The record is filled by the pass that starts at image 0.
  NoiseSource& part(int first, int count) {
    if (whole_)
      part_ = std::make_unique<NoisePart>(record_ && first == 0 ? *record_ : *whole_, total_);
    else
      part_ = keyed(first, count);
    if (whole_) static_cast<NoisePart&>(*part_).set_first(first);
    return *part_;
  }
  // One entry per step taken where the sampler draws at all: the last step of ddpm multiplies its noise by 0 and did not ask for it. A
  // replayed file may lack that one.
  void write_record(const Purifier& purifier, View like) {
    if (!record_) return;
    const std::vector<ReverseStep>& steps = purifier.steps();
    const int last = static_cast<int>(steps.size()) - 1;
    const auto draws = [](const ReverseStep& s) { return s.s != 0 || s.learned; };
    if (flags_.file.empty() && last > 0 && draws(steps[last - 1]) && !draws(steps[last])) {
      Buffer unused(total_, like.c, like.h, like.w);
      record_->reverse(last, steps[last].label, unused.view());
    }
    record_->write(flags_.export_to);
  }

 private:
  std::unique_ptr<NoiseSource> keyed(int first, int count) const {
    std::vector<int64_t> images(count);
    for (int i = 0; i < count; ++i) images[i] = flags_.first_index + first + i;
    return std::make_unique<KeyedNoise>(stream_, flags_.seeds[0], images);
  }
  const NoiseFlags& flags_;
  NoiseStream stream_;
  int total_;
  std::unique_ptr<NoiseSource> whole_, part_;
  std::unique_ptr<RecordedNoise> record_;
};

// Every state of the chain in [0, 1] units, to be written into a folder at the end.
class TrailFolder {
 public:
  TrailFolder(const std::string& folder, bool force) : folder_(folder) {
    std::error_code error;
    if (std::filesystem::exists(folder) && !std::filesystem::is_empty(folder, error) && !force)
      fail(kCannotCreate, "the folder is not empty", "--trail " + folder, "name a new folder, or add --force");
  }
  void collect(const Trail& trail, int first, int count, int total) {
    const View x = trail.x(0);
    if (states_.empty())
      for (int k = 0; k <= trail.steps(); ++k) states_.emplace_back(total, x.c, x.h, x.w, Device::Cpu);
    for (int k = 0; k <= trail.steps(); ++k) {
      const View to = states_[k].view().images(first, count);
      transfer(trail.x(k), to);
      affine_forward(0.5, to, 0, {}, 0.5, to);
    }
  }
  void write() const {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error)
      fail(kCannotCreate, "cannot create the folder: " + error.message(), "--trail " + folder_, "choose another place");
    for (size_t k = 0; k < states_.size(); ++k) {
      char name[32];
      std::snprintf(name, sizeof name, "/state_%04zu.npy", k);
      write_array(folder_ + name, states_[k].view());
    }
    write_strip();
  }

 private:
  // At most 12 states in a row, the first and the last among them; one row per image, at most 16.
  void write_strip() const {
    const View x = states_[0].view();
    if (x.c != 3) return;
    const int last = static_cast<int>(states_.size()) - 1, columns = std::min(12, last + 1), rows = std::min(16, x.n);
    ImageGrid grid(rows, columns, x.h, x.w);
    std::vector<std::string> headings;
    for (int c = 0; c < columns; ++c) {
      const int k = columns == 1 ? last : c * last / (columns - 1);
      headings.push_back(std::to_string(k));
      for (int r = 0; r < rows; ++r) grid.set(r, c, states_[k].view().image(r));
    }
    grid.set_headings(headings);
    grid.write(folder_ + "/strip.png");
  }
  std::string folder_;
  std::vector<Buffer> states_;
};

// What both commands set up: the network, the options, the images as u = 2 x - 1.
struct Chain {
  PurifyOptions options;
  LoadedNet loaded;
  Buffer u;   // on the host
  std::optional<Net> unet;
  std::optional<Purifier> purifier;
  int batch = 1;

  Chain(const PurifyRunOptions& o, bool gradient)
      : options(purify_options(o.purify, one_t(o.purify))), loaded(load_purifier(o.purifier, o.common)) {
    check_t_max(loaded, options.t, o.common.force);
    ValueInfo image = loaded.image();
    if (options.image_size) image.h = image.w = options.image_size;
    u = read_images(o.input, image, "--input", o.common, true);
    affine_in_place(2, -1, u.view());
    batch = std::min(o.batch, u.view().n);
    const MemoryPlan memory = gradient ? memory_plan(o.purify.memory, loaded.model, batch, options.reverse_count()) : MemoryPlan{};
    unet.emplace(loaded.make_net());
    unet->set_lean(memory.lean);
    purifier.emplace(*unet, options, batch, gradient, memory.kept_steps);
  }
};

void announce(const PurifyRunOptions& o, const PurifyOptions& options) {
  if (!o.common.quiet) std::fprintf(stderr, "%s\n", describe(options).c_str());
}

// Classifier loss: cross-entropy of logits(x), summed over the images in order, and its gradient in x.
class Loss {
 public:
  Loss(const PurifyRunOptions& o, const View& shape, int batch, bool lean = false)
      : loaded_(load_classifier(o.classifier, o.common)), net_(loaded_.make_net()) {
    net_.set_lean(lean);
    const ValueInfo image = loaded_.image();
    if (image.c != shape.c || image.h != shape.h || image.w != shape.w)
      fail(kBadInput,
           "the classifier takes " + std::to_string(image.h) + " x " + std::to_string(image.w) +
               " images, the input is " + std::to_string(shape.h) + " x " + std::to_string(shape.w),
           "--classifier " + loaded_.path, "choose a classifier of the same size");
    labels_ = read_labels(o.labels, shape.n, loaded_.outputs());
    net_.plan(batch, Mode::InputGrad);
    losses_ = Buffer(batch, 1, 1, 1);
  }
  ValueInfo image() const { return loaded_.image(); }
  // x: in, images in [0, 1] on the network's device; out, the gradient.
  void add(View x, int first) {
    net_.set_batch(x.n);
    copy_forward(x, net_.input());
    net_.forward();
    const View losses = losses_.view().images(0, x.n);
    const DeviceLabels labels(&labels_[first], x.n, x.device);
    cross_entropy_forward(net_.output(), labels.data(), losses);
    for (real v : to_host(losses)) total_ += v;
    cross_entropy_backward(net_.output(), labels.data(), 1, net_.output_grad());
    net_.backward();
    copy_forward(net_.input_grad(), x);
  }
  double total() const { return total_; }

 private:
  LoadedNet loaded_;
  Net net_;
  std::vector<int> labels_;
  Buffer losses_;
  accum total_ = 0;
};

void print_loss(double loss, bool json) {
  const std::string text = json_number(static_cast<real>(loss));
  print_out(json ? "{\"loss\":" + text + "}\n" : "loss " + text + "\n");
}

void check_outputs(const PurifyRunOptions& o, int images) {
  check_output(o.output, "--output");
  check_output(o.purified, "--purified", true, images);
  check_output(o.noise.export_to, "--export-noise");
}

// The gradient of the classifier alone (--purifier none).
int classifier_gradient(const PurifyRunOptions& o) {
  const LoadedNet shape = load_classifier(o.classifier, o.common);
  Buffer x = read_images(o.input, shape.image(), "--input", o.common, true);
  const int batch = std::min(o.batch, x.view().n);
  check_outputs(o, x.view().n);
  Loss loss(o, x.view(), batch);
  if (!o.purified.empty()) write_images(o.purified, x.view());
  for (int first = 0; first < x.view().n; first += batch) {
    const Mirror part(x.view().images(first, std::min(batch, x.view().n - first)), current_device());
    loss.add(part.view(), first);
    part.store();
  }
  write_array(o.output, x.view());
  print_loss(loss.total(), o.common.json);
  return kOk;
}

}  // namespace

int run_purify(const PurifyRunOptions& o) {
  std::optional<TrailFolder> trail;
  if (!o.trail.empty()) trail.emplace(o.trail, o.common.force);
  Chain chain(o, false);
  const View u = chain.u.view();
  check_output(o.output, "--output", true, u.n);
  check_output(o.noise.export_to, "--export-noise");
  RunNoise noise(o.noise, u.n);
  announce(o, chain.options);
  for (int first = 0; first < u.n; first += chain.batch) {
    const int count = std::min(chain.batch, u.n - first);
    const View in = u.images(first, count), out = chain.purifier->forward(Mirror(in, current_device()).view(), noise.part(first, count));
    if (trail) trail->collect(chain.purifier->trail(), first, count, u.n);
    transfer(out, in);
  }
  affine_in_place(0.5, 0.5, u);
  if (trail) trail->write();
  noise.write_record(*chain.purifier, chain.unet->input());
  write_images(o.output, u);
  return kOk;
}

// loss = sum_n CE(classifier((f(2 x_n - 1) + 1) / 2), label_n) and d loss / d x.
int run_gradient(const PurifyRunOptions& o) {
  if (o.purifier.weights == "none") return classifier_gradient(o);
  Chain chain(o, true);
  const View u = chain.u.view();
  check_outputs(o, u.n);
  Loss loss(o, u, chain.batch, chain.unet->lean());
  RunNoise noise(o.noise, u.n);
  announce(o, chain.options);
  Buffer purified(u.n, u.c, u.h, u.w, Device::Cpu);
  for (int first = 0; first < u.n; first += chain.batch) {
    const int count = std::min(chain.batch, u.n - first);
    const Mirror part(u.images(first, count), current_device());
    const View d = part.view();
    const View out = chain.purifier->forward(d, noise.part(first, count));
    affine_forward(0.5, out, 0, {}, 0.5, d);
    transfer(d, purified.view().images(first, count));
    loss.add(d, first);
    affine_forward(0.5, d, 0, {}, 0, d);
    chain.purifier->backward(d);
    affine_forward(2, d, 0, {}, 0, d);
    part.store();
  }
  if (!o.purified.empty()) write_images(o.purified, purified.view());
  noise.write_record(*chain.purifier, chain.unet->input());
  write_array(o.output, u);
  print_loss(loss.total(), o.common.json);
  return kOk;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
