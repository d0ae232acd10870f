// What the commands share once options are parsed: networks and arrays from files, arrays and pictures to files.
// Compiled twice.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "diffusion/purify.h"
#include "models/zoo.h"
#include "net/net.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct LoadedNet {
  Model model;
  std::shared_ptr<Params> params;
  std::string path;  // of the weights, or "formula"
  Net make_net() const { return Net(model, params); }
  ValueInfo image() const { return model.values[model.input]; }  // of the input
  int outputs() const { return model.values[model.output].c; }   // classes of a classifier
};

// The architecture is that of the choice, else the one in the file's metadata (exit 65 where neither is). F64 weights
// in a float program: exit 65. NaN or infinity: a warning, exit 65 with `strict`.
LoadedNet load_network(const NetworkChoice& choice, const CommonOptions& common);
LoadedNet load_purifier(const NetworkChoice& choice, const CommonOptions& common);    // exit 2 if it is not a purifier
LoadedNet load_classifier(const NetworkChoice& choice, const CommonOptions& common);  // exit 2 if it is one

// t_max of the purifier's metadata: it knows the times below. 1000 where it does not say.
int trained_range(const LoadedNet& purifier);
// A purifier trained for t < t_max only is refused beyond it (exit 65), unless forced.
void check_t_max(const LoadedNet& purifier, int t, bool force);

// [n, c, h, w] from x.npy or FILE.safetensors:TENSOR; float32 values widen exactly. Other shapes: exit 65. PNG and
// JPEG, where `pictures` allows them: one image, byte / 255 in float32. Warns about NaN and infinity, refuses them with
// --strict. The buffer lies on the host.
Buffer read_images(const std::string& spec, const ValueInfo& image, const std::string& flag,
                   const CommonOptions& common, bool pictures);
// [n] whole numbers in [0, classes): "3,5" or a .npy.
std::vector<int> read_labels(const std::string& text, int count, int classes);

// Both take a View of any device.
void write_array(const std::string& path, View v);  // .npy [n, c, h, w], or [n, c] where h = w = 1
// .npy as it is, or .png for one image: byte = floor(255 clamp(v) + 1/2).
void write_images(const std::string& path, View v);
bool is_picture(const std::string& path);  // by its ending: png, jpg, jpeg

// y = a x + c on all values of a View on the host, in place.
void affine_in_place(double a, double c, View v);

// What --memory asks for: "min" a lean plan, "auto" all activations of one network, "max" those of all `steps` reverse steps, SIZE of as
// many steps as fit beside the arena that every gradient needs, and a lean plan where not even that one fits.
struct MemoryPlan { bool lean = false; int kept_steps = 0; };
MemoryPlan memory_plan(const std::string& memory, const Model& unet, int batch, int steps);
// The same for a run: makes these nets lean or not (unet may be null) and returns how many reals of activations to keep.
size_t apply_memory(const std::string& memory, Net* unet, Net& base, Net& behind, int batch, int steps);

// The noise of a whole array of images, handed out for the images [first, first + out.n) in work.
class NoisePart : public NoiseSource {
 public:
  NoisePart(NoiseSource& whole, int total) : whole_(whole), total_(total) {}
  void set_first(int first) { first_ = first; }
  void forward(ForwardKind kind, int t, View out) override;
  void reverse(int order, int t, View out) override;

 private:
  NoiseSource& whole_;
  int total_, first_ = 0;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
