// Winograd convolution in three parts with a barrier between them: tiles of the input are transformed, p^2 matrix products are made
// (tile_kernel.h), tiles of the output are transformed. Long pictures and large batches go through in chunks of tiles, which keeps the
// transformed values in cache; where a chunk ends changes no bit of y or dx.
#include "ops/winograd.h"

#include <algorithm>

#include "core/check.h"
#include "core/parallel.h"
#include "ops/conv_gather.h"
#include "ops/tile_kernel.h"
#include "ops/winograd_lines.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

constexpr int kSumBlock = 256;               // terms of a sum before it is added to the result, as in the exact kernels
constexpr size_t kChunkValues = 1 << 19;     // transformed values of a chunk, about: two megabytes of float

int blocks(int size, int block) { return (size + block - 1) / block; }
int even_block(int size, int most) { return blocks(size, blocks(size, most)); }
int padded(int channels) { return blocks(channels, kLanes) * kLanes; }
int panelled(int channels) { return blocks(channels, tile_kernel().panel) * tile_kernel().panel; }
int tile_size(ConvAlgorithm a) { return a == ConvAlgorithm::Winograd2 ? 2 : 4; }
int place_count(ConvAlgorithm a) { return (tile_size(a) + 2) * (tile_size(a) + 2); }

// y[o] = sum_i correlation of x[i] with filter (o, i), on pictures h x w that become out_h x out_w, cut into tiles and chunks of tiles.
struct Geometry {
  Geometry(ConvAlgorithm algorithm, int in, int out, int pad, int h, int w, int out_h, int out_w, int images)
      : m(tile_size(algorithm)), p(m + 2), places(p * p), in(in), out(out), pad(pad), h(h), w(w), out_h(out_h), out_w(out_w),
        tiles_y(blocks(out_h, m)), tiles_x(blocks(out_w, m)) {
    const size_t per_tile = static_cast<size_t>(places) * (padded(in) + padded(out));
    const int most = static_cast<int>(std::max<size_t>(kChunkValues / per_tile, 24));
    rows = even_block(tiles_y, std::clamp(most / tiles_x, 1, tiles_y));
    chunk_images = rows == tiles_y ? std::clamp(most / (tiles_x * tiles_y), 1, images) : 1;
    tiles = chunk_images * rows * tiles_x;
    // The places of a tile lie an odd number of cache lines apart, or all of them would fall into one set of the cache.
    in_place = static_cast<ptrdiff_t>(tiles) * padded(in) + kLanes;
    out_place = static_cast<ptrdiff_t>(tiles) * padded(out) + kLanes;
  }
  int m, p, places, in, out, pad, h, w, out_h, out_w, tiles_y, tiles_x;
  int rows, chunk_images, tiles;             // of a chunk: rows of tiles, images, tiles at most
  ptrdiff_t in_place, out_place;             // reals from one place to the next in V and in the products
};

struct Chunk { int image, images, row, rows; };

// chunk(c) for every chunk, in image order.
template <class Each>
void for_chunks(const Geometry& g, int images, const Each& each) {
  for (int n = 0; n < images; n += g.chunk_images)
    for (int row = 0; row < g.tiles_y; row += g.rows) each(Chunk{n, std::min(g.chunk_images, images - n), row, std::min(g.rows, g.tiles_y - row)});
}

// V of a chunk: [place][tile][padded channel].
void transform_input(const Geometry& g, const Chunk& c, View x, real* v) {
  const int channel_blocks = blocks(g.in, kLanes), columns = g.m * g.tiles_x + 2, stride = padded(g.in);
  parallel_for(c.images * channel_blocks, [&](int task) {
    const int n = task / channel_blocks, channel = task % channel_blocks * kLanes;
    real* rows = scratch(static_cast<size_t>(2) * g.p * columns * kLanes, 0);
    real* work = rows + static_cast<size_t>(g.p) * columns * kLanes;
    for (int row = 0; row < c.rows; ++row) {
      load_rows(x.plane(c.image + n, channel), g.in - channel, g.h, g.w, (c.row + row) * g.m - g.pad, -g.pad, g.p, columns, rows);
      const ptrdiff_t tile = static_cast<ptrdiff_t>(n * c.rows + row) * g.tiles_x;
      input_tiles(g.m, rows, g.tiles_x, work, {v + tile * stride + channel, g.in_place, stride});
    }
  });
}

// products[place, tile, o] = sum_i V[place, tile, i] U[place, i, o], sums in blocks of channels.
void multiply(const Geometry& g, int tiles, const real* v, const real* filters, real* products) {
  const TileKernel& kernel = tile_kernel();
  const int panels = blocks(g.out, kernel.panel), in_stride = padded(g.in), out_stride = padded(g.out);
  const int step = even_block(g.in, kSumBlock), tile = even_block(tiles, kernel.rows);
  parallel_for(g.places * panels, [&](int task) {
    const int place = task / panels, first = task % panels * kernel.panel;
    const real* filter = filters + (static_cast<size_t>(place) * panels + task % panels) * g.in * kernel.panel;
    for (int channel = 0; channel < g.in; channel += step) {
      TileProduct t;
      t.row_stride = in_stride;
      t.taps = std::min(step, g.in - channel);
      t.b = filter + static_cast<size_t>(channel) * kernel.panel;
      t.c_stride = out_stride;
      t.overwrite = channel == 0;
      for (int k = 0; k < tiles; k += tile) {
        t.a = v + place * g.in_place + static_cast<ptrdiff_t>(k) * in_stride + channel;
        t.c = products + place * g.out_place + static_cast<ptrdiff_t>(k) * out_stride + first;
        kernel.multiply(std::min(tile, tiles - k), std::min(kernel.panel, out_stride - first), t);
      }
    }
  });
}

void transform_output(const Geometry& g, const Chunk& c, real* products, const real* bias, View y) {
  const int channel_blocks = blocks(g.out, kLanes), columns = g.m * g.tiles_x, stride = padded(g.out);
  parallel_for(c.images * channel_blocks, [&](int task) {
    const int n = task / channel_blocks, channel = task % channel_blocks * kLanes;
    real* rows = scratch(static_cast<size_t>(g.m) * columns * kLanes, 0);
    for (int row = 0; row < c.rows; ++row) {
      const ptrdiff_t tile = static_cast<ptrdiff_t>(n * c.rows + row) * g.tiles_x;
      output_tiles(g.m, {products + tile * stride + channel, g.out_place, stride}, g.tiles_x, rows);
      store_rows(rows, columns, (c.row + row) * g.m, g.m, bias ? bias + channel : nullptr, std::min(kLanes, g.out - channel), g.out_h,
                 g.out_w, y.plane(c.image + n, channel));
    }
  });
}

void correlate(const Geometry& g, View x, const real* filters, const real* bias, View y) {
  real* v = scratch(static_cast<size_t>(g.places) * g.in_place, 2);
  real* products = scratch(static_cast<size_t>(g.places) * g.out_place, 3);
  for_chunks(g, x.n, [&](const Chunk& c) {
    transform_input(g, c, x, v);
    multiply(g, c.images * c.rows * g.tiles_x, v, filters, products);
    transform_output(g, c, products, bias, y);
  });
}

// The kept filters, or those made now.
const real* filters_of(const Conv2d& s, View weight, bool flipped) {
  const real* kept = flipped ? s.flipped_filters : s.filters;
  if (kept) return kept;
  real* made = scratch(winograd_filter_size(s, flipped), 1);
  winograd_filters(s, weight, flipped, made);
  return made;
}

// e[place, panel, tile, lane] = A dy A^T of a chunk, in panels of outputs.
void transform_cotangent(const Geometry& g, const Chunk& c, View dy, real* e) {
  const int columns = g.m * g.tiles_x, panel = tile_kernel().panel;
  const int piece = std::min(kLanes, panel), panels = blocks(g.out, panel), channel_blocks = blocks(panels * panel, kLanes);
  parallel_for(c.images * channel_blocks, [&](int task) {
    const int n = task / channel_blocks, channel = task % channel_blocks * kLanes;
    const size_t row_size = static_cast<size_t>(columns) * kLanes, tile_values = static_cast<size_t>(g.places) * kLanes;
    real* rows = scratch((g.m + g.p) * row_size + g.tiles_x * tile_values, 0);
    real *work = rows + g.m * row_size, *made = work + g.p * row_size;
    for (int row = 0; row < c.rows; ++row) {
      load_rows(dy.plane(c.image + n, channel), g.out - channel, g.out_h, g.out_w, (c.row + row) * g.m, 0, g.m, columns, rows);
      output_tiles_adjoint(g.m, rows, g.tiles_x, work, {made, kLanes, static_cast<ptrdiff_t>(tile_values)});
      for (int t = 0; t < g.tiles_x; ++t) {
        const size_t tile = static_cast<size_t>(n * c.rows + row) * g.tiles_x + t;
        for (int place = 0; place < g.places; ++place)
          for (int o = channel; o < std::min(channel + kLanes, panels * panel); o += piece)
            std::copy_n(made + t * tile_values + place * kLanes + o - channel, piece,
                        e + ((static_cast<size_t>(place) * panels + o / panel) * g.tiles + tile) * panel + o % panel);
      }
    }
  });
}

// sums[place, i, o] += sum over the tiles of a chunk of V[place, tile, i] e[place, tile, o].
void multiply_tiles(const Geometry& g, int tiles, const real* v, const real* e, bool first_chunk, real* sums) {
  const TileKernel& kernel = tile_kernel();
  const int panels = blocks(g.out, kernel.panel), rows = even_block(g.in, kernel.rows), stride = panels * kernel.panel;
  parallel_for(g.places * panels, [&](int task) {
    const int place = task / panels, panel = task % panels;
    TileProduct t;
    t.row_stride = 1;
    t.tap_stride = padded(g.in);
    t.taps = tiles;
    t.b = e + static_cast<size_t>(task) * g.tiles * kernel.panel;
    t.c_stride = stride;
    t.overwrite = first_chunk;
    for (int i = 0; i < g.in; i += rows) {
      t.a = v + place * g.in_place + i;
      t.c = sums + (static_cast<size_t>(place) * g.in + i) * stride + panel * kernel.panel;
      kernel.multiply(std::min(rows, g.in - i), kernel.panel, t);
    }
  });
}

}  // namespace

// Estimated multiply-adds' worth of time for one image. A value of a filter costs what reading it from memory takes, a transformed
// value its transform; a product with fewer tiles than a tile of the kernel has rows leaves registers idle.
ConvAlgorithm choose_algorithm(const Conv2d& s, int h, int w) {
  if (s.kernel != 3 || s.stride != 1 || s.pad_before > 2 || s.pad_after > 2 || s.in < kLanes || s.out < kLanes) return ConvAlgorithm::Exact;
  constexpr double kFilterValue = 6, kTransformedValue = 24;
  const double pairs = static_cast<double>(s.in) * s.out;
  const int out_h = conv2d_size(s, h), out_w = conv2d_size(s, w);
  ConvAlgorithm best = ConvAlgorithm::Exact;
  double least = 9 * pairs * (out_h * out_w + kFilterValue);
  for (ConvAlgorithm a : {ConvAlgorithm::Winograd2, ConvAlgorithm::Winograd4}) {
    const int m = tile_size(a), tiles = blocks(out_h, m) * blocks(out_w, m);
    const double cost = place_count(a) * (pairs * (std::max(tiles, 4) + kFilterValue) + kTransformedValue * tiles * (s.in + s.out));
    if (cost < least) { least = cost; best = a; }
  }
  return best;
}

const char* algorithm_name(ConvAlgorithm algorithm) {
  switch (algorithm) {
    case ConvAlgorithm::Exact: return "tiles";
    case ConvAlgorithm::Winograd2: return "winograd 2x2";
    case ConvAlgorithm::Winograd4: return "winograd 4x4";
  }
  return "";
}

size_t winograd_filter_size(const Conv2d& s, bool flipped) {
  return static_cast<size_t>(place_count(s.algorithm)) * (flipped ? s.out : s.in) * panelled(flipped ? s.in : s.out);
}

// U[place][panel of outputs][input][lane], zero lanes at the end; flipped: outputs and inputs exchanged, taps reversed.
void winograd_filters(const Conv2d& s, View weight, bool flipped, real* to) {
  const int in = flipped ? s.out : s.in, out = flipped ? s.in : s.out, m = tile_size(s.algorithm), places = place_count(s.algorithm);
  const int panel = tile_kernel().panel, panels = blocks(out, panel), piece = std::min(kLanes, panel);
  const size_t out_stride = 9 * static_cast<size_t>(flipped ? 1 : s.in), in_stride = 9 * static_cast<size_t>(flipped ? s.in : 1);
  parallel_for(panels, [&](int p) {
    alignas(64) real w[9 * kLanes], u[36 * kLanes];
    for (int i = 0; i < in; ++i)
      for (int o = p * panel; o < (p + 1) * panel; o += kLanes) {
        for (int l = 0; l < kLanes; ++l)
          for (int t = 0; t < 9; ++t)
            w[t * kLanes + l] = o + l < out ? weight.data[(o + l) * out_stride + i * in_stride + (flipped ? 8 - t : t)] : real(0);
        filter_tile(m, w, u);
        for (int k = 0; k < places; ++k)
          std::copy_n(u + k * kLanes, piece, to + ((static_cast<size_t>(k) * panels + p) * in + i) * panel + o - p * panel);
      }
  });
}

void winograd_forward(const Conv2d& s, View x, View weight, View bias, View y) {
  const Geometry g(s.algorithm, s.in, s.out, s.pad_before, x.h, x.w, y.h, y.w, x.n);
  correlate(g, x, filters_of(s, weight, false), bias.empty() ? nullptr : bias.data, y);
}

void winograd_backward_data(const Conv2d& s, View weight, View dy, View dx) {
  const Geometry g(s.algorithm, s.out, s.in, 2 - s.pad_before, dy.h, dy.w, dx.h, dx.w, dx.n);
  correlate(g, dy, filters_of(s, weight, true), nullptr, dx);
}

void winograd_backward_weight(const Conv2d& s, View x, View dy, View dweight) {
  // Chunks of one size for every batch: the order of the sum over images depends on the layer alone.
  const Geometry g(s.algorithm, s.in, s.out, s.pad_before, x.h, x.w, dy.h, dy.w, 1 << 20);
  const int panel = tile_kernel().panel, stride = panelled(s.out);
  real* v = scratch(static_cast<size_t>(g.places) * g.in_place, 2);
  real* e = scratch(static_cast<size_t>(g.places) * g.tiles * stride, 3);
  real* sums = scratch(static_cast<size_t>(g.places) * s.in * stride, 1);
  bool first = true;
  for_chunks(g, x.n, [&](const Chunk& c) {
    transform_input(g, c, x, v);
    transform_cotangent(g, c, dy, e);
    multiply_tiles(g, c.images * c.rows * g.tiles_x, v, e, first, sums);
    first = false;
  });
  const ptrdiff_t place = static_cast<ptrdiff_t>(s.in) * stride;
  parallel_for(blocks(s.out, panel), [&](int p) {
    alignas(64) real du[36 * kLanes] = {}, dw[9 * kLanes];
    for (int o = p * panel; o < std::min((p + 1) * panel, s.out); o += kLanes)
      for (int i = 0; i < s.in; ++i) {
        const int lanes = std::min({kLanes, panel, s.out - o});
        for (int k = 0; k < g.places; ++k) std::copy_n(sums + k * place + static_cast<size_t>(i) * stride + o, lanes, du + k * kLanes);
        filter_tile_adjoint(g.m, {du, kLanes, 0}, dw);
        for (int l = 0; l < lanes; ++l)
          for (int t = 0; t < 9; ++t) dweight.data[(static_cast<size_t>(o + l) * s.in + i) * 9 + t] += dw[t * kLanes + l];
      }
  });
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
