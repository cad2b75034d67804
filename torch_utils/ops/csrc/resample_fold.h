// The last pass for symmetric filters of 12 taps, down by two, AVX-512: the terms are added up before anything moves across lanes.
//
// A step is one sample of each of P planes. Output i is the sum over j of z[j][i + j], where z[j][i] is what step i gives to the output j
// steps before it: a sum over all terms, so that only as many vectors are slid as for one term. And as the taps are their own mirror image,
// two z of a pair have each other's taps in turn; with taps a, b of samples p, q
//
//     z + z' = (a + b) (p + q)    and    z - z' = (a - b) (p - q),
//
// which halves the products. Infinite samples would give inf - inf here, so this is for clamped activations only.
#pragma once

#include "resample_rows.h"

namespace {

constexpr int FOLD_TAPS = 12;
constexpr float FOLD_CLAMP = 1e30f;  // at most: sums of samples must be finite

constexpr int folded_taps(int planes) { return planes == 2 ? 6 : 12; }

// From taps c[0 .. 11], of which the second half mirrors the first: half sums and differences of pairs, then taps without a partner.
[[maybe_unused]] inline void spread_folded(const float *c, int planes, Vec *out) {
    const auto pair = [&out](float a, float b) {
        *out++ = broadcast((a + b) / 2);
        *out++ = broadcast((a - b) / 2);
    };
    if (planes == 2) {
        for (int j = 0; j < 3; j++) pair(c[2 * j], c[2 * j + 1]);
        return;
    }
    pair(c[0], c[3]);
    pair(c[1], c[2]);
    pair(c[2], c[5]);
    pair(c[3], c[4]);
    for (int j = 0; j < 4; j++) *out++ = broadcast(c[(j + 4) % 6]);
}

#if AF_LANES == 16

struct Folded {
    Vec z[7];
};

// G neighbouring vectors of steps. The empty instructions keep the compiler from taking taps out of the loop over vectors, for which it has no
// registers, and from loading taps and samples again for each product.
template <int K, int G>
inline __attribute__((always_inline)) void fold_two_planes(const FallSource &source, int at, const Vec *taps, Folded *out) {
    Vec even[G][3] = {}, odd[G][3] = {}, one = broadcast(1.0f);
    asm("" : "+r"(taps));
    hold(one);
#pragma GCC unroll 4
    for (int k = 0; k < K; k++) {
        Vec plus[G], minus[G];
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const size_t here = k * source.part + at + g * 16;
            const Vec p = load(source.base[0] + here), q = load(source.base[1] + here);
            plus[g] = p + q;
            minus[g] = p - q;
            asm("" : "+v"(plus[g]), "+v"(minus[g]));
        }
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            Vec sum = taps[6 * k + 2 * j], difference = taps[6 * k + 2 * j + 1];
            asm("" : "+v"(sum), "+v"(difference));
#pragma GCC unroll 2
            for (int g = 0; g < G; g++) {
                even[g][j] += sum * plus[g];
                odd[g][j] += difference * minus[g];
            }
        }
    }
#pragma GCC unroll 2
    for (int g = 0; g < G; g++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            out[g].z[j] = K == 1 ? even[g][j] * one + odd[g][j] : even[g][j] + odd[g][j];
            out[g].z[5 - j] = even[g][j] - odd[g][j];
        }
}

template <int G>
inline __attribute__((always_inline)) void add_product(Vec tap, const Vec *x, Vec *sum) {
    asm("" : "+v"(tap));
#pragma GCC unroll 2
    for (int g = 0; g < G; g++) sum[g] += tap * x[g];
}

template <int G>
inline __attribute__((always_inline)) void add_product(Vec tap, const Vec *x, Vec *sum, const Vec *x2, Vec *sum2) {
    asm("" : "+v"(tap));
#pragma GCC unroll 2
    for (int g = 0; g < G; g++) sum[g] += tap * x[g], sum2[g] += tap * x2[g];
}

// z[0 .. 2] belong to even outputs, z[3 .. 6] to odd ones.
template <int K, int G>
inline __attribute__((always_inline)) void fold_four_planes(const FallSource &source, int at, const Vec *taps, Folded *out) {
    Vec even_0[G] = {}, even_1[G] = {}, odd_0[G] = {}, odd_1[G] = {}, middle[G] = {}, first[G] = {}, last[G] = {};
    asm("" : "+r"(taps));
#pragma GCC unroll 4
    for (int k = 0; k < K; k++) {
        const Vec *tap = taps + 12 * k;
        Vec a[G], b[G], c[G], d[G];
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const size_t here = k * source.part + at + g * 16;
            a[g] = load(source.base[0] + here), b[g] = load(source.base[1] + here);
            c[g] = load(source.base[2] + here), d[g] = load(source.base[3] + here);
            asm("" : "+v"(a[g]), "+v"(b[g]), "+v"(c[g]), "+v"(d[g]));
        }
        add_product<G>(tap[10], c, first, b, last);
        add_product<G>(tap[11], d, first, a, last);
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const Vec outer_difference = a[g] - d[g], inner_difference = b[g] - c[g];
            a[g] += d[g], b[g] += c[g], c[g] = inner_difference, d[g] = outer_difference;
        }
        add_product<G>(tap[0], a, even_0);
        add_product<G>(tap[1], d, odd_0);
        add_product<G>(tap[4], a, even_1);
        add_product<G>(tap[5], d, odd_1);
        add_product<G>(tap[8], a, middle);
        add_product<G>(tap[2], b, even_0);
        add_product<G>(tap[3], c, odd_0);
        add_product<G>(tap[6], b, even_1);
        add_product<G>(tap[7], c, odd_1);
        add_product<G>(tap[9], b, middle);
    }
#pragma GCC unroll 2
    for (int g = 0; g < G; g++)
        out[g] = {{even_0[g] + odd_0[g], middle[g], even_0[g] - odd_0[g],  //
                   first[g], even_1[g] + odd_1[g], even_1[g] - odd_1[g], last[g]}};
}

template <int P, int K, int G>
inline __attribute__((always_inline)) void fold(const FallSource &source, int at, const Vec *taps, Folded *out) {
    if constexpr (P == 2) fold_two_planes<K, G>(source, at, taps, out);
    else fold_four_planes<K, G>(source, at, taps, out);
}

template <int P>
inline __attribute__((always_inline)) void add_steps(const Vec *a, const Vec *b, Vec *sum) {
    if constexpr (P == 2) {
        sum[0] = ((a[0] + slide<1>(a[1], b[1])) + (slide<2>(a[2], b[2]) + slide<3>(a[3], b[3]))) +
                 (slide<4>(a[4], b[4]) + slide<5>(a[5], b[5]));
    } else {
        sum[0] = a[0] + (slide<1>(a[1], b[1]) + slide<2>(a[2], b[2]));
        sum[1] = (a[3] + slide<1>(a[4], b[4])) + (slide<2>(a[5], b[5]) + slide<3>(a[6], b[6]));
    }
}

// One output row from P planes of `vectors` vectors by K terms; its samples are in P / 2 planes in turn.
template <int P, int K>
AF_PASS void fall_row_folded(const FallSource &given, int vectors, float *y, int width, const Vec *taps, Vec scale) {
    constexpr int S = P / 2, STEP = 16 * S;
    const FallSource source = given;  // a copy that no store can change
    Folded low, next[2];
    Vec sum[S];
    fold<P, K, 1>(source, 0, taps, &low);
    int v = 1;
    for (; v + 2 <= vectors; v += 2, y += 2 * STEP, width -= 2 * STEP) {
        fold<P, K, 2>(source, v * 16, taps, next);
        add_steps<P>(low.z, next[0].z, sum);
        store_samples<S>(y, sum, scale, STEP);
        add_steps<P>(next[0].z, next[1].z, sum);
        store_samples<S>(y + STEP, sum, scale, width - STEP);
        low = next[1];
    }
    if (v < vectors) {
        fold<P, K, 1>(source, v * 16, taps, next);
        add_steps<P>(low.z, next[0].z, sum);
        store_samples<S>(y, sum, scale, width);
        low = next[0], y += STEP, width -= STEP;
    }
    if (width > 0) {  // the last vector's own samples do
        add_steps<P>(low.z, low.z, sum);
        store_samples<S>(y, sum, scale, width);
    }
}

#endif

}  // namespace
