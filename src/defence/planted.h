// Defences with one known mistake or mask each, around an honest one: what an audit must find (docs/audit.md). For tests and teaching.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "defence/defence.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct PlantInfo {
  const char* name;
  const char* what;
  int check;                 // the check of docs/audit.md that must flag it
  bool needs_diffusion;      // it is a mistake of a diffusion chain
};
// All of them, in a fixed order.
const std::vector<PlantInfo>& planted_masks();

struct Plant {
  std::unique_ptr<Defence> defence;
  double logit_scale = 1;    // for Defended::set_logit_scale
};
// Exit 2 on an unknown name, or on a mistake of a diffusion chain around a defence that has none.
Plant plant(const std::string& name, std::unique_ptr<Defence> honest);

// Passes everything through; a mask overrides what it spoils.
class PlantedDefence : public Defence {
 public:
  explicit PlantedDefence(std::unique_ptr<Defence> inner) : inner_(std::move(inner)) {}
  void forward(View x, NoiseSource* noise, View y) override { inner_->forward(x, noise, y); }
  bool has_mode(const Backward& mode) const override { return inner_->has_mode(mode); }
  bool keep_everything(bool on) override { return inner_->keep_everything(on); }
  bool random() const override { return inner_->random(); }
  std::string describe() const override { return inner_->describe(); }
  Purifier* purifier() override { return inner_->purifier(); }
  void count_clips(bool on) override { inner_->count_clips(on); }
  ClipCensus clips() const override { return inner_->clips(); }

 protected:
  void vjp(View d) override { inner_->backward(d); }
  void mode_changed() override { inner_->set_mode(mode()); }
  std::unique_ptr<Defence> inner_;
};

// Runs one defence and differentiates another at the same image and noise: a gradient that belongs to another function.
class MismatchedDefence : public PlantedDefence {
 public:
  MismatchedDefence(std::unique_ptr<Defence> runs, std::unique_ptr<Defence> differentiated)
      : PlantedDefence(std::move(runs)), other_(std::move(differentiated)) {}
  void forward(View x, NoiseSource* noise, View y) override;
  bool keep_everything(bool) override { return false; }

 protected:
  void vjp(View d) override;
  void mode_changed() override { other_->set_mode(mode()); }

 private:
  std::unique_ptr<Defence> other_;
  Buffer x_;
  NoiseSource* noise_ = nullptr;
};

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
