// Every tolerance of the op tests, relative to the largest expected value, with its reason.
#pragma once

namespace purescope {

struct Tolerance { double f32, f64; };

// Of the running build.
constexpr double tolerance_of(const Tolerance& t, bool is_double) { return is_double ? t.f64 : t.f32; }

// Sums of k products in another order than the oracle's: sqrt(k) roundings of 6e-8 or 1.1e-16, k up to 2304 here.
constexpr Tolerance kConv2dTolerance = {5e-6, 1e-13};
constexpr Tolerance kLinearTolerance = {2e-6, 1e-13};
// Statistics are double, but mean and r are stored as real, and the backward pass works with the stored ones. f64: the oracle adds
// its moments one by one, the op in eight partial sums.
constexpr Tolerance kGroupNormTolerance = {5e-6, 1e-12};
constexpr Tolerance kBatchNormTolerance = {5e-6, 1e-12};
// One exponential of a few ulp and three roundings.
constexpr Tolerance kSiluTolerance = {1e-6, 1e-14};
// A comparison: exact, but the expected gradient has been divided by the step.
constexpr Tolerance kReluTolerance = {1e-7, 1e-15};
// One rounding.
constexpr Tolerance kAddTolerance = {2e-7, 1e-15};
constexpr Tolerance kConcatTolerance = {1e-7, 1e-15};
// dv sums a plane in double and rounds once.
constexpr Tolerance kAddChannelTolerance = {2e-7, 1e-14};
// dx adds four values.
constexpr Tolerance kUpsampleNearestTolerance = {5e-7, 1e-14};
constexpr Tolerance kGlobalAvgPoolTolerance = {2e-7, 1e-14};
// Logits are sums of up to 256 products; an error e in a logit of size s is a relative error e * s in its probability.
constexpr Tolerance kAttentionTolerance = {1e-5, 1e-12};
// The angle t * f is below 1000 and has a relative error of 2e-16 in double; f32 is rounded once at the end.
constexpr Tolerance kTimeEmbeddingTolerance = {1e-7, 1e-12};
// A subtraction and a division.
constexpr Tolerance kNormalizeTolerance = {5e-7, 1e-14};
constexpr Tolerance kSubsamplePadTolerance = {1e-7, 1e-15};
// Two roundings; de sums a plane in double and rounds once.
constexpr Tolerance kScaleShiftTolerance = {5e-7, 1e-13};
constexpr Tolerance kAvgPoolTolerance = {3e-7, 1e-14};
// A choice: exact; dx adds at most nine values.
constexpr Tolerance kMaxPoolTolerance = {5e-7, 1e-14};
constexpr Tolerance kAttentionPackedTolerance = {1e-5, 1e-12};
constexpr Tolerance kNinTolerance = {5e-6, 1e-13};
constexpr Tolerance kScaleTolerance = {2e-7, 1e-15};
// Weights rounded to the scalar and two products; dx adds the contributions of all outputs that read a pixel.
constexpr Tolerance kResizeBilinearTolerance = {1e-6, 1e-13};
// One exponential; the exponent, up to 5, is rounded to the scalar.
constexpr Tolerance kLearnedNoiseTolerance = {2e-6, 1e-13};
// Double inside, rounded once.
constexpr Tolerance kCrossEntropyTolerance = {2e-7, 1e-13};

// Derivative tests in double.
constexpr double kComplexStep = 1e-11;          // no truncation, no cancellation: only rounding of the sums over all outputs
constexpr double kCentralDifference = 1e-8;     // truncation h^2 f''' / 6 against rounding 1e-16 |f| / h, best step of a sweep
constexpr double kCentralDifferenceKink = 1e-6; // an element within h of a kink sees half of it
constexpr double kAdjoint = 1e-13;              // two dot products, relative to the product of the norms

// start + gradient against gradient added onto start: the order of the additions differs.
constexpr Tolerance kAccumulate = {3e-6, 1e-14};

}  // namespace purescope
