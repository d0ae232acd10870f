// Networks by name. An architecture is a preset ("ddpm-cifar10") or spelled out ("ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16").
#pragma once
#include <string>
#include <vector>

#include "net/builder.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// DDPM U-Net of Ho et al. 2020 as ported by pesser/pytorch_diffusion: input [n,3,size,size] in [-1,1] and t in 0..999; output: the
// predicted noise. `attn` lists the resolutions that have attention.
struct DdpmUnetConfig {
  int ch = 128;
  std::vector<int> mult = {1, 2, 2, 2};
  int blocks = 2;
  std::vector<int> attn = {16};
  int size = 32;
  int groups = 32;
};
Model ddpm_unet(const DdpmUnetConfig& config);

// WideResNet of Zagoruyko and Komodakis 2016, pre-activation, as in RobustBench: input [n,3,size,size] in [0,1]; output: logits.
struct WideResnetConfig { int depth = 28, widen = 10, classes = 10, size = 32; bool training = false; };
Model wide_resnet(const WideResnetConfig& config);

// CIFAR ResNet of He et al. 2016 with option-A shortcuts: input [n,3,size,size] in [0,1], normalised inside; output: logits.
struct CifarResnetConfig { int depth = 20, classes = 10, size = 32, width = 16; bool training = false; };
Model cifar_resnet(const CifarResnetConfig& config);

// ADM U-Net of guided-diffusion (Dhariwal and Nichol 2021): input [n,3,size,size] in [-1,1] and t (may be fractional); output: the
// predicted noise, and with learn_sigma three more channels that interpolate the log-variance. `attn` lists the down-sampling factors
// that have attention, `head` the channels of a head.
struct AdmUnetConfig {
  int ch = 256;
  std::vector<int> mult = {1, 1, 2, 2, 4, 4};
  int blocks = 2;
  std::vector<int> attn = {8, 16, 32};
  int head = 64, size = 256, groups = 32;
  bool learn_sigma = false, scale_shift = false, resblock_updown = false;
};
Model adm_unet(const AdmUnetConfig& config);

// DDPM++ network of score-SDE (Song et al. 2021): input [n,3,size,size] in [-1,1] and t in 0..999 (may be fractional); output: the
// predicted noise. `attn` lists the resolutions that have attention.
struct DdpmppUnetConfig {
  int nf = 128;
  std::vector<int> mult = {1, 2, 2, 2};
  int blocks = 8;
  std::vector<int> attn = {16};
  int size = 32;
};
Model ddpmpp_unet(const DdpmppUnetConfig& config);

// Bottleneck ResNet of He et al. 2016 as in torchvision: input [n,3,size,size] in [0,1], normalised inside; output: logits.
struct ResnetConfig {
  int stem = 64;
  std::vector<int> planes = {64, 128, 256, 512}, layers = {3, 4, 6, 3};
  int classes = 1000, size = 224;
  bool training = false;
};
Model resnet(const ResnetConfig& config);

// Presets: ddpm-cifar10, ddpmpp-cifar10, adm-256, wrn-28-10, resnet50, cifar-resnet-20/32/44/56/110. Families: ddpm-unet:, ddpmpp:, adm:,
// wrn:, resnet:, cifar-resnet:. Unknown names or keys: exit 2 with a suggestion. training = true builds batch normalisation with batch statistics.
Model make_model(const std::string& arch, bool training = false);
std::vector<std::string> preset_names();
bool is_purifier(const Model& model);  // predicts noise: has a time input

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
