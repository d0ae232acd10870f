// jacobian and manifold.
#include <algorithm>
#include <cmath>

#include "audit/subject.h"
#include "experiment/chain_walk.h"
#include "experiment/measure_inside.h"
#include "experiment/purifier_jacobian.h"
#include "experiment/tangent.h"
#include "io/signals.h"
#include "ops/ops.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

using Rows = std::vector<std::vector<double>>;
constexpr int kTangentDraws = 1 << 24;  // of the normal stream: no restart of an attack has this number

Spectrum spectrum_at(const Workbench& w, const JacobianPoint& p) {
  const InsideOptions& o = w.options.inside;
  const int size = static_cast<int>(p.x.image_size());
  if (size <= o.exact_jacobian_size) return exact_spectrum(exact_jacobian(p), size, o.leading);
  return randomised_spectrum(p, o.rank, 1, std::min(o.leading, o.rank));
}

std::vector<double> normals(const Workbench& w, const ExperimentUnit& u, int64_t image, int which, size_t count) {
  std::vector<float> v(count);
  w.stream.start_normal(u.id.seed, image, kTangentDraws + which, v.data(), v.size());
  return {v.begin(), v.end()};
}

// v scaled to this length; all zero where v is.
std::vector<double> scaled(std::vector<double> v, double length) {
  const double have = norm2(v);
  for (double& x : v) x *= have > 1e-9 ? length / have : 0;
  return v;
}

// What is known of one image: its latent, its tangent space, and what the walks found.
struct ShapeImage {
  ShapeLatent latent;
  TangentSpace at_image, at_anchor;  // the latter at the shape nearest to the anchor point
  double anchor_distance = 0;        // |f(x) - x|
  double anchor_off = 0;             // distance of the anchor from that shape
  JsonLine fields;
};

// A perturbation per image, in [0,1] units.
struct Start {
  std::string name;
  Rows eta;
};

// One walk of x + eta: rate of the chain, and at every state norm and tangent share; the end also in the tangent space
// of the anchor.
struct Walk {
  std::vector<double> norm, share;
  double end_share = 0, rate = 0;
  std::vector<double> end;
};

std::vector<Walk> walk_start(Purifier& purifier, View x, NoiseSource& noise, const ChainStates& base,
                             const std::vector<ShapeImage>& images, const Rows& eta) {
  std::vector<real> values = to_host(x);
  for (int n = 0; n < x.n; ++n)
    for (size_t i = 0; i < eta[n].size(); ++i) values[n * eta[n].size() + i] += static_cast<real>(eta[n][i]);
  Buffer moved(x.n, x.c, x.h, x.w);
  from_host(values.data(), moved.view());
  std::vector<Walk> walks(x.n);
  walk_differences(purifier, moved.view(), noise, base, [&](int stage, int n, const std::vector<double>& d) {
    walks[n].norm.push_back(norm2(d) / 2);  // in [0,1] units
    walks[n].share.push_back(tangent_share(images[n].at_image.basis, d));
    if (stage + 1 != static_cast<int>(base.size())) return;
    walks[n].end_share = tangent_share(images[n].at_anchor.basis, d);
    walks[n].rate = walks[n].norm.back() / walks[n].norm.front();
    walks[n].end = d;
  });
  return walks;
}

// Tangent: isotropic within the tangent space. Normal: isotropic in its complement. Both and the uniform ones as long
// as the latter.
std::vector<Start> random_starts(const Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b,
                                 const std::vector<ShapeImage>& images) {
  std::vector<Start> starts = {{"tangent", {}}, {"normal", {}}, {"uniform", {}}};
  const View x = b.x.view();
  const Buffer moved = perturbed(x, u.id.eps, w.stream, u.id.seed, b.ids, 0);
  for (int n = 0; n < x.n; ++n) {
    std::vector<double> uniform = row_values(moved.view(), n), pixels = row_values(x, n);
    for (size_t i = 0; i < pixels.size(); ++i) uniform[i] -= pixels[i];
    const double length = norm2(uniform);
    const Rows& basis = images[n].at_image.basis;
    const std::vector<double> any = normals(w, u, b.ids[n], 0, pixels.size());
    starts[0].eta.push_back(scaled(tangent_part(basis, any), length));
    starts[1].eta.push_back(scaled(normal_part(basis, any), length));
    starts[2].eta.push_back(uniform);
  }
  return starts;
}

std::vector<ShapeImage> known_images(const Workbench& w, const ExperimentBatch& b, const ChainStates& base) {
  const uint64_t seed = shapes_seed(w.options.data);
  std::vector<ShapeImage> images(b.ids.size());
  for (size_t n = 0; n < images.size(); ++n) {
    ShapeImage& image = images[n];
    image.latent = shape_latent(seed, b.ids[n]);
    image.at_image = tangent_space(image.latent);
    std::vector<double> anchor(base.back().begin() + n * kShapeValues, base.back().begin() + (n + 1) * kShapeValues);
    for (double& v : anchor) v = (v + 1) / 2;
    double away = 0;
    for (int i = 0; i < kShapeValues; ++i)
      away += (anchor[i] - image.at_image.image[i]) * (anchor[i] - image.at_image.image[i]);
    image.anchor_distance = std::sqrt(away);
    const NearestShape nearest = nearest_shape(image.latent, anchor);
    image.anchor_off = nearest.distance;
    image.at_anchor = tangent_space(nearest.latent);
  }
  return images;
}

void record_walk(ShapeImage& image, const std::string& name, const Walk& walk) {
  image.fields.add("rate_" + name, walk.rate)
      .add("end_share_" + name, walk.end_share)
      .raw("norm_" + name, number_list(walk.norm))
      .raw("share_" + name, number_list(walk.share));
}

// How far from the manifold the adversarial images and their purified versions are.
void record_distances(std::vector<ShapeImage>& images, const Start& start, const std::vector<Walk>& walks,
                      const ChainStates& base) {
  for (size_t n = 0; n < images.size(); ++n) {
    std::vector<double> end = walks[n].end, before = images[n].at_image.image;
    for (int i = 0; i < kShapeValues; ++i) {
      end[i] = (end[i] + base.back()[n * kShapeValues + i] + 1) / 2;
      before[i] += start.eta[n][i];
    }
    images[n]
        .fields.add("off_pgd", nearest_shape(images[n].latent, before).distance)
        .add("off_pgd_end", nearest_shape(images[n].latent, end).distance);
  }
}

// Rates of the chain along the derivative in each latent, as long as the perturbations of `like`; NaN where turning
// changes nothing.
Rows latent_rates(Purifier& purifier, View x, NoiseSource& noise, const ChainStates& base,
                  const std::vector<ShapeImage>& images, const Start& like) {
  Rows rates(images.size());
  for (int k = 0; k < kShapeLatents; ++k) {
    Rows eta;
    for (size_t n = 0; n < images.size(); ++n)
      eta.push_back(scaled(images[n].at_image.derivatives[k], norm2(like.eta[n])));
    const std::vector<Walk> walks = walk_start(purifier, x, noise, base, images, eta);
    for (size_t n = 0; n < images.size(); ++n) rates[n].push_back(walks[n].rate);
  }
  return rates;
}

}  // namespace

bool measure_jacobian(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  const int batch = std::max(w.batch, 16);
  Purifier purifier(w.free_unet(), chain_of(w, u, false), batch, true);
  for (size_t n = 0; n < b.ids.size(); ++n) {
    if (stop_requested()) return false;
    JacobianPoint point{purifier,
                        w.stream,
                        b.x.view().images(static_cast<int>(n), 1),
                        u.id.seed,
                        b.ids[n],
                        batch,
                        w.options.run.t_base};
    const Spectrum first = spectrum_at(w, point);
    point.seed = u.id.seed + 1;
    const Spectrum second = spectrum_at(w, point);
    const bool exact = static_cast<int>(first.values.size()) == first.size;
    w.put(u, b.ids[n],
          with_fields(w.line(u, b.ids[n]).text(), JsonLine()
                                                      .add("values", first.size)
                                                      .add("exact", exact)
                                                      .add("leading", static_cast<int>(first.inputs.size()))
                                                      .add("mean_square", first.mean_square)
                                                      .add("mean_square_other", second.mean_square)
                                                      .add("disagreement", first.disagreement)
                                                      .add("align_input", alignment(first.inputs, second.inputs))
                                                      .add("align_output", alignment(first.outputs, second.outputs))
                                                      .raw("singular", number_list(first.values))
                                                      .raw("singular_other", number_list(second.values))));
  }
  return true;
}

bool measure_manifold(Workbench& w, const ExperimentUnit& u, const ExperimentBatch& b) {
  shapes_seed(w.options.data);  // refuses other images before an attack is spent on them
  const View x = b.x.view();
  const PurifyOptions chain = chain_of(w, u, false);
  Buffer adversarial;
  if (!craft_start(w, u, b, chain, Rand::Fixed, Backward(), adversarial)) return false;
  Purifier purifier(w.free_unet(), chain, w.batch, false);
  KeyedNoise noise(w.stream, u.id.seed, b.ids, 0, w.options.run.t_base);
  const std::vector<Stage> stages = chain_stages(purifier);
  const ChainStates base = chain_states(purifier, x, noise);
  std::vector<ShapeImage> images = known_images(w, b, base);
  std::vector<Start> starts = random_starts(w, u, b, images);
  starts.push_back({"pgd", {}});
  for (int n = 0; n < x.n; ++n) {
    starts.back().eta.push_back(row_values(adversarial.view(), n));
    const std::vector<double> pixels = row_values(x, n);
    for (size_t i = 0; i < pixels.size(); ++i) starts.back().eta[n][i] -= pixels[i];
  }
  for (const Start& start : starts) {
    const std::vector<Walk> walks = walk_start(purifier, x, noise, base, images, start.eta);
    for (int n = 0; n < x.n; ++n) record_walk(images[n], start.name, walks[n]);
    if (start.name == "pgd") record_distances(images, start, walks, base);
  }
  const Rows latents = latent_rates(purifier, x, noise, base, images, starts[2]);
  std::vector<double> place;
  for (const Stage& s : stages) place.push_back(s.place);
  for (int n = 0; n < x.n; ++n) {
    const ShapeImage& image = images[n];
    w.put(u, b.ids[n],
          with_fields(with_fields(w.line(u, b.ids[n]).text(), JsonLine()
                                                                  .add("label", b.labels[n])
                                                                  .add("values", kShapeValues)
                                                                  .add("rank", image.at_image.basis.size())
                                                                  .add("anchor_distance", image.anchor_distance)
                                                                  .add("anchor_off", image.anchor_off)
                                                                  .raw("place", number_list(place))
                                                                  .raw("latent_rates", number_list(latents[n]))),
                      image.fields));
  }
  return true;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
