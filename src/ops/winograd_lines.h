// The transforms of Winograd convolution for kLanes channels at once: every value is a row of kLanes reals. All overwrite their output.
// m = 2 or 4 is the size of an output tile, p = m + 2 that of an input tile.
#pragma once
#include <cstddef>

#include "core/real.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

constexpr int kLanes = 16;

// Where the p x p places of a tile lie: place k of tile t at data[k * place + t * tile], kLanes reals each.
struct Places { real* data; ptrdiff_t place, tile; };

// rows[lane r, column, lane] = planes[lane][(top + r) * w + left + column], 0 outside the h x w plane and for lanes >= channels.
void load_rows(const real* planes, int channels, int h, int w, int top, int left, int rows, int columns, real* out);
// planes[lane][(top + r) * w + column] = rows[r, column, lane] + bias[lane] for what lies inside the plane; bias null: 0.
void store_rows(const real* rows, int columns, int top, int count, const real* bias, int channels, int h, int w, real* planes);

// V = B^T d B for a row of tiles: rows is [p][m * tiles + 2], work as large.
void input_tiles(int m, const real* rows, int tiles, real* work, const Places& v);
// y = A^T M A for a row of tiles: rows is [m][m * tiles].
void output_tiles(int m, const Places& products, int tiles, real* rows);
// A dy A^T for a row of tiles: rows is [m][m * tiles], work [p][m * tiles].
void output_tiles_adjoint(int m, const real* rows, int tiles, real* work, const Places& e);
// U = G w G^T: w is [3 * 3], u [p * p].
void filter_tile(int m, const real* w, real* u);
// dw = G^T dU G.
void filter_tile_adjoint(int m, const Places& du, real* dw);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
