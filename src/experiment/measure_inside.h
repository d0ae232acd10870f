// How the units of the experiments that look inside the purifier are measured: one record per image, all numbers of it
// under the noise of (seed, image). The judging parts are
// report/experiment_{distances,randomness,steps,gaussian,jacobian,manifold}.cpp.
#pragma once
#include "experiment/workbench.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// walk:START:SAMPLER, START uniformM (M times eps) or pgd, pgd-eot, bpda, bpda-eot: l2, l-inf and SSIM to the clean
// image at every state of the purification of the start: place, l2, linf, ssim (arrays). The noise is taken in single
// forward steps.
bool measure_distances(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// randomness:SAMPLER: RandomnessNumbers of `perturbations` inputs x + eta under the noises of the seeds s, s + 1, ...
bool measure_randomness(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// steps:SAMPLER: norms of one tracked perturbation at every state; and at some reverse steps eq. 16 with its estimates,
// rates of fresh perturbations, and (first image, small networks) the exact trace.
bool measure_steps(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// gaussian: walks through the score field of table S1; the image is the number of the walk.
bool measure_gaussian(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// jacobian:SAMPLER: singular values under the seeds s and s + 1, and the alignment of their leading directions.
bool measure_jacobian(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// manifold:SAMPLER: perturbations along and across the tangent space of the image, uniform ones and those of PGD: norms
// and tangent shares at every state; distances to the manifold; rates of the single latents.
bool measure_manifold(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch);

// The chain of a unit; with single forward steps instead of one jump, where the way there is looked at (the same law).
PurifyOptions chain_of(const Workbench& bench, const ExperimentUnit& unit, bool single_steps);

// The start point of an attack on this chain: false if it was stopped (its state is saved then).
bool craft_start(Workbench& bench, const ExperimentUnit& unit, const ExperimentBatch& batch, const PurifyOptions& chain,
                 Rand rand, const Backward& backward, Buffer& adversarial);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
