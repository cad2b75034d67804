// variants: generic avx2 avx512
//
// 3x3 convolution by Winograd's minimal filtering F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//
// A 4x4 tile of the output is  A^T [ sum_c (G g G^T) * (B^T d B) ] A  with g the 3x3 weights and d the 6x6 input tile
// (Winograd 1980; Lavin and Gray 2016, "Fast algorithms for convolutional neural networks"). The Cook-Toom points are
// 0, +-11/16, +-23/16 and infinity: the rounding error is a quarter of that of the usual 0, +-1, +-2 (measured), and all
// constants of the data transforms are exact in float32. The 36 products over channels are small matrix products.
//
// A block of tiles (conv_blocks.h) goes through input transform, products and output transform in scratch memory of its own.

#include "conv_blocks.h"
#include "conv_call.h"
#include "gemm_kernel.h"

namespace {

constexpr int TILE = 4, PATCH = 6, POINTS = PATCH * PATCH;
constexpr float A1 = 11.f / 16, B1 = 23.f / 16;  // the points
constexpr float A2 = A1 * A1, B2 = B1 * B1, A3 = A2 * A1, B3 = B2 * B1;

constexpr int64_t BLOCK_VECTORS = 48 / LANES;  // tiles of one block: its share of one point's input fits half an L2 cache
constexpr int64_t GROUP = 8 * ROWS;            // output channels between two output transforms

struct Plan {
    int64_t tiles_x, tiles_y, groups;
    Blocks blocks;
    int64_t width;             // tiles of the widest block, in whole vectors
    int64_t v_point, m_point;  // floats between points in the transformed input and output
    int64_t v_size, m_size;    // floats of both for one block
};

// Rounds up so that the 36 streams, written side by side, do not fall into the same cache sets.
int64_t staggered(int64_t floats) { return round_up(floats, 1024) + 176; }

Plan make_plan(const ConvCall& c) {
    Plan p;
    p.tiles_x = ceil_div(out_width(c), TILE);
    p.tiles_y = ceil_div(out_height(c), TILE);
    p.groups = ceil_div(c.out_channels, GROUP);
    p.blocks = cut_blocks(p.tiles_x * p.tiles_y, BLOCK_VECTORS, c.batch, c.threads);
    p.width = p.blocks.width();
    p.v_point = staggered(c.in_channels * p.width);
    p.m_point = staggered(GROUP * p.width);
    p.v_size = POINTS * p.v_point;
    p.m_size = POINTS * p.m_point;
    return p;
}

int64_t scratch_floats(const Plan& p) {
    return (p.blocks.shared ? p.blocks.count : p.blocks.threads) * p.v_size + p.blocks.threads * p.m_size;
}

// ---------------------------------------------------------------- transforms

CONV_INLINE void input_transform_1d(const Vec d[PATCH], Vec r[PATCH]) {
    const Vec even_a = d[4] - B2 * d[2], odd_a = A1 * (d[3] - B2 * d[1]);
    const Vec even_b = d[4] - A2 * d[2], odd_b = B1 * (d[3] - A2 * d[1]);
    r[0] = d[4] - (A2 + B2) * d[2] + (A2 * B2) * d[0];
    r[1] = even_a + odd_a, r[2] = even_a - odd_a;
    r[3] = even_b + odd_b, r[4] = even_b - odd_b;
    r[5] = d[5] - (A2 + B2) * d[3] + (A2 * B2) * d[1];
}

CONV_INLINE void output_transform_1d(const Vec m[PATCH], Vec y[TILE]) {
    const Vec sum_a = m[1] + m[2], diff_a = m[1] - m[2];
    const Vec sum_b = m[3] + m[4], diff_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1] = A1 * diff_a + B1 * diff_b;
    y[2] = A2 * sum_a + B2 * sum_b;
    y[3] = A3 * diff_a + B3 * diff_b + m[5];
}

void weight_transform_1d(const double g[3], double r[PATCH]) {
    const double a = A1, b = B1, na = 2 * a * a * (a * a - b * b), nb = 2 * b * b * (b * b - a * a);
    r[0] = g[0] / (a * a * b * b);
    r[1] = (g[0] + a * g[1] + a * a * g[2]) / na, r[2] = (g[0] - a * g[1] + a * a * g[2]) / na;
    r[3] = (g[0] + b * g[1] + b * b * g[2]) / nb, r[4] = (g[0] - b * g[1] + b * b * g[2]) / nb;
    r[5] = g[2];
}

// A vector is LANES tiles in the order of rows of tiles. It may go on in the next row, or in several: where rows are short, vectors that end
// with them would be half empty. Such a vector is put together from pieces, and transformed once.

// A vector's first tile.
struct Place {
    int64_t row, column;

    CONV_INLINE void advance(int64_t tiles, int64_t tiles_x) {
        for (column += tiles; column >= tiles_x; column -= tiles_x) ++row;
    }
};

// Calls f(vector, its place) for each vector of tiles of a block.
template <class F>
CONV_INLINE void for_tile_vectors(const Plan& p, int64_t block, Place place, F&& f) {
    for (int64_t vector = 0; vector < p.blocks.vector_count(block); ++vector, place.advance(LANES, p.tiles_x)) f(vector, place);
}

CONV_INLINE Place first_place(const Plan& p, int64_t block) {
    const int64_t first = p.blocks.first_vector(block) * LANES;
    return {first / p.tiles_x, first % p.tiles_x};
}

// Tiles of a vector that lie in one row of tiles; `column` is where lane 0 would lie in that row.
struct Piece {
    int64_t row, column, first, last;  // lanes
};

// Calls f(piece) for the rows of tiles that a vector touches.
template <class F>
CONV_INLINE void for_pieces(const Plan& p, Place place, F&& f) {
    for (int64_t lane = 0; lane < LANES && place.row < p.tiles_y; place.row++, place.column = 0) {
        const int64_t last = smaller(LANES, lane + p.tiles_x - place.column);
        f(Piece{place.row, place.column - lane, lane, last});
        lane = last;
    }
}

// The first 4 * LANES + 2 samples of row + x, times `scale`, those outside the image zero: d[j] = samples j, j + 4, j + 8, ..., for j < PATCH.
CONV_INLINE void load_patch_row(const float* row, int64_t x, int64_t width, Vec scale, Vec d[PATCH]) {
    float next[2];  // what the last tile needs beyond its own four columns
    if (x >= 0 && x + TILE * LANES + 2 <= width) {
#pragma GCC unroll 4
        for (int j = 0; j < TILE; ++j) d[j] = scale * load(row + x + j * LANES);
        next[0] = row[x + TILE * LANES], next[1] = row[x + TILE * LANES + 1];
    } else {
#pragma GCC unroll 4
        for (int j = 0; j < TILE; ++j) d[j] = scale * load_lanes(row + x + j * LANES, -x - j * LANES, width - x - j * LANES);
        for (int j = 0; j < 2; ++j) {
            const int64_t column = x + TILE * LANES + j;
            next[j] = column >= 0 && column < width ? row[column] : 0.f;
        }
    }
    deinterleave4(d);
    d[4] = shift_in(d[0], scale[0] * next[0]), d[5] = shift_in(d[1], scale[0] * next[1]);
}

// The row `y` of the patches of LANES tiles, the first patch at column x.
CONV_INLINE void load_tiles(const ConvCall& c, const float* plane, int64_t y, int64_t x, Vec scale, Vec d[PATCH]) {
    if (y < 0 || y >= c.in_height) {
        for (int j = 0; j < PATCH; ++j) d[j] = Vec{};
        return;
    }
    const float* const row = plane + y * c.in_width;
    for (int j = 0; j <= TILE; ++j) __builtin_prefetch(row + c.in_height * c.in_width + x + j * LANES);  // the next channel's
    load_patch_row(row, x, c.in_width, scale, d);
}

// B^T d B for the tiles of one vector.
CONV_INLINE void transform_patches(const ConvCall& c, const Plan& p, const float* plane, const Place& place, Vec scale, float* v) {
    Vec half[PATCH][PATCH];
    if (place.column + LANES <= p.tiles_x) {
        for (int i = 0; i < PATCH; ++i) {
            Vec d[PATCH];
            load_tiles(c, plane, place.row * TILE - c.padding + i, place.column * TILE - c.padding, scale, d);
            input_transform_1d(d, half[i]);
        }
    } else {
        for (int i = 0; i < PATCH; ++i) {
            Vec d[PATCH] = {};
            for_pieces(p, place, [&](const Piece& piece) {
                Vec of_row[PATCH];
                load_tiles(c, plane, piece.row * TILE - c.padding + i, piece.column * TILE - c.padding, scale, of_row);
                for (int j = 0; j < PATCH; ++j) d[j] = with_lanes(d[j], of_row[j], piece.first, piece.last);
            });
            input_transform_1d(d, half[i]);
        }
    }
#pragma GCC unroll 6
    for (int j = 0; j < PATCH; ++j) {
        Vec d[PATCH], r[PATCH];
#pragma GCC unroll 6
        for (int i = 0; i < PATCH; ++i) d[i] = half[i][j];
        input_transform_1d(d, r);
#pragma GCC unroll 6
        for (int i = 0; i < PATCH; ++i) store(v + (i * PATCH + j) * p.v_point, r[i]);
    }
}

void transform_input(const ConvCall& c, const Plan& p, int64_t block, int64_t first, int64_t last, float* v) {
    const int64_t image = p.blocks.image(block);
    const Place start = first_place(p, block);
    for (int64_t channel = first; channel < last; ++channel) {
        const int64_t plane = image * c.in_channels + channel;
        const float* x = c.x + plane * c.in_height * c.in_width;
        const Vec scale = splat(c.in_scale ? c.in_scale[plane] : 1.f);
        for_tile_vectors(p, block, start, [&](int64_t vector, const Place& place) {
            transform_patches(c, p, x, place, scale, v + channel * p.width + vector * LANES);
        });
    }
}

// Row i of the tiles' outputs, interleaved: samples first .. last - 1, counted from lane 0 of the first tile.
CONV_INLINE void store_tiles(const Vec y[TILE], float* out, int64_t first, int64_t last) {
    for (int j = 0; j < TILE; ++j) store_between(out + j * LANES, y[j], first - j * LANES, last - j * LANES);
}

// A^T m A for one vector of tiles, scaled, to where the tiles lie.
CONV_INLINE void transform_products(const ConvCall& c, const Plan& p, const float* m, Vec scale, Vec bias, float* plane, const Place& place) {
    const int64_t height = out_height(c), width = out_width(c);
    Vec half[TILE][PATCH];
#pragma GCC unroll 6
    for (int j = 0; j < PATCH; ++j) {
        Vec d[PATCH], y[TILE];
#pragma GCC unroll 6
        for (int i = 0; i < PATCH; ++i) d[i] = load(m + (i * PATCH + j) * p.m_point);
        output_transform_1d(d, y);
#pragma GCC unroll 4
        for (int i = 0; i < TILE; ++i) half[i][j] = y[i];
    }
    const bool whole = (place.row + 1) * TILE <= height && (place.column + LANES) * TILE <= width;
#pragma GCC unroll 4
    for (int i = 0; i < TILE; ++i) {
        Vec y[TILE];
        output_transform_1d(half[i], y);
        for (int j = 0; j < TILE; ++j) y[j] = scale * y[j] + bias;
        interleave4(y);
        if (whole) {
            float* const out = plane + (place.row * TILE + i) * width + place.column * TILE;
            for (int j = 0; j < TILE; ++j) store(out + j * LANES, y[j]);
            continue;
        }
        for_pieces(p, place, [&](const Piece& piece) {
            const int64_t row = piece.row * TILE + i, column = piece.column * TILE;
            if (row < height) store_tiles(y, plane + row * width + column, piece.first * TILE, smaller(piece.last * TILE, width - column));
        });
    }
}

void transform_output(const ConvCall& c, const Plan& p, int64_t block, int64_t first, int64_t last, const float* m) {
    const int64_t image = p.blocks.image(block);
    const Place start = first_place(p, block);
    for (int64_t channel = first; channel < last; ++channel) {
        const int64_t plane = image * c.out_channels + channel;
        float* out = c.out + plane * out_height(c) * out_width(c);
        const Vec scale = splat(c.out_scale ? c.out_scale[plane] : 1.f), bias = splat(c.bias ? c.bias[channel] : 0.f);
        const float* source = m + (channel - first) * p.width;
        for_tile_vectors(p, block, start, [&](int64_t vector, const Place& place) {
            transform_products(c, p, source + vector * LANES, scale, bias, out, place);
        });
    }
}

// ---------------------------------------------------------------- products

// m[point][k][tile] = sum_c u[point][k][c] v[point][c][tile] for one group of output channels.
void multiply(const ConvCall& c, const Plan& p, int64_t group, int64_t vector_count, const float* v, float* m) {
    const int64_t panels = ceil_div(c.out_channels, ROWS), panel_floats = c.in_channels * ROWS, per_group = GROUP / ROWS;
    const float* weight = (const float*)c.weight;
    for (int point = 0; point < POINTS; ++point) {
        for (int64_t i = 0; i < per_group && group * per_group + i < panels; ++i) {
            const int64_t panel = group * per_group + i;
            const float* a = weight + (point * panels + panel) * panel_floats;
            for_vector_groups(vector_count, [&](int64_t first, int64_t count) {
                const float* b = v + point * p.v_point + first * LANES;
                float* target = m + point * p.m_point + i * ROWS * p.width + first * LANES;
                with_rows(c.out_channels - panel * ROWS, [&](auto rows) {
                    with_vectors(count, [&](auto vectors) {
                        constexpr int M = decltype(rows)::value, N = decltype(vectors)::value;
                        Vec sum[M][N] = {};
                        accumulate<Float32>(sum, c.in_channels, a, b, p.width, panel_floats);
#pragma GCC unroll 16
                        for (int row = 0; row < M; ++row)
#pragma GCC unroll 4
                            for (int n = 0; n < N; ++n) store(target + row * p.width + n * LANES, sum[row][n]);
                    });
                });
            });
        }
    }
}

void finish_group(const ConvCall& c, const Plan& p, int64_t block, int64_t group, const float* v, float* m) {
    multiply(c, p, group, p.blocks.vector_count(block), v, m);
    transform_output(c, p, block, group * GROUP, smaller((group + 1) * GROUP, c.out_channels), m);
}

}  // namespace

extern "C" {

int64_t AF_VARIANT(af_conv_winograd_weight_bytes)(int64_t out_channels, int64_t in_channels) {
    return POINTS * round_up(out_channels, ROWS) * in_channels * (int64_t)sizeof(float);
}

// weight [out_channels][in_channels][3][3] -> packed [point][panel of ROWS output channels][in_channels][ROWS]
void AF_VARIANT(af_conv_winograd_pack)(int64_t out_channels, int64_t in_channels, const float* weight, float* packed) {
    const int64_t panels = ceil_div(out_channels, ROWS);
    for (int64_t panel = 0; panel < panels; ++panel) {
        for (int64_t c = 0; c < in_channels; ++c) {
            for (int64_t m = 0; m < ROWS; ++m) {
                const int64_t k = panel * ROWS + m;
                double half[3][PATCH] = {};
                for (int i = 0; i < 3 && k < out_channels; ++i) {
                    const float* g = weight + ((k * in_channels + c) * 3 + i) * 3;
                    const double row[3] = {g[0], g[1], g[2]};
                    weight_transform_1d(row, half[i]);
                }
                for (int j = 0; j < PATCH; ++j) {
                    const double column[3] = {half[0][j], half[1][j], half[2][j]};
                    double u[PATCH];
                    weight_transform_1d(column, u);
                    for (int i = 0; i < PATCH; ++i)
                        packed[(((i * PATCH + j) * panels + panel) * in_channels + c) * ROWS + m] = (float)u[i];
                }
            }
        }
    }
}

int64_t AF_VARIANT(af_conv_winograd_scratch_bytes)(const ConvCall* call) {
    return scratch_floats(make_plan(*call)) * (int64_t)sizeof(float);
}

void AF_VARIANT(af_conv_winograd)(const ConvCall* call) {
    const ConvCall& c = *call;
    const Plan p = make_plan(c);
    float* const all_v = (float*)c.scratch;
    float* const all_m = all_v + (p.blocks.shared ? p.blocks.count : p.blocks.threads) * p.v_size;
    constexpr int64_t CHANNELS = 16;  // of one unit of the shared input transform
    const int64_t slices = ceil_div(c.in_channels, CHANNELS);
    int64_t arrivals = 0;
#pragma omp parallel num_threads((int)p.blocks.threads)
    {
        int64_t thread;  // not omp_get_thread_num(): no OpenMP, no header, still right
#pragma omp atomic capture
        thread = arrivals++;
        float* const m = all_m + thread * p.m_size;
        if (p.blocks.shared) {
#pragma omp for schedule(dynamic, 1)
            for (int64_t unit = 0; unit < p.blocks.count * slices; ++unit) {
                const int64_t block = unit / slices, first = unit % slices * CHANNELS;
                transform_input(c, p, block, first, smaller(first + CHANNELS, c.in_channels), all_v + block * p.v_size);
            }
#pragma omp for schedule(dynamic, 1) nowait
            for (int64_t unit = 0; unit < p.blocks.count * p.groups; ++unit) {
                const int64_t group = unit / p.blocks.count, block = unit % p.blocks.count;
                finish_group(c, p, block, group, all_v + block * p.v_size, m);
            }
        } else {
            float* const v = all_v + thread * p.v_size;
#pragma omp for schedule(dynamic, 1) nowait
            for (int64_t block = 0; block < p.blocks.count; ++block) {
                transform_input(c, p, block, 0, c.in_channels, v);
                for (int64_t group = 0; group < p.groups; ++group) finish_group(c, p, block, group, v, m);
            }
        }
    }
}

}  // extern "C"
