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

template <int K, int G>
inline __attribute__((always_inline)) void fold_two_planes(const FallSource &source, int at, const Vec *taps, Folded *out) {
    Vec even[G][3] = {}, odd[G][3] = {};
#pragma GCC unroll 4
    for (int k = 0; k < K; k++)
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const size_t here = k * source.part + at + g * 16;
            const Vec p = load(source.base[0] + here), q = load(source.base[1] + here);
            const Vec plus = p + q, minus = p - q;
#pragma GCC unroll 3
            for (int j = 0; j < 3; j++) {
                even[g][j] += taps[6 * k + 2 * j] * plus;
                odd[g][j] += taps[6 * k + 2 * j + 1] * minus;
            }
        }
#pragma GCC unroll 2
    for (int g = 0; g < G; g++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            out[g].z[j] = even[g][j] + odd[g][j];
            out[g].z[5 - j] = even[g][j] - odd[g][j];
        }
}

// z[0 .. 2] belong to even outputs, z[3 .. 6] to odd ones.
template <int K, int G>
inline __attribute__((always_inline)) void fold_four_planes(const FallSource &source, int at, const Vec *taps, Folded *out) {
    Vec even[G][2] = {}, odd[G][2] = {}, middle[G] = {}, first[G] = {}, last[G] = {};
#pragma GCC unroll 4
    for (int k = 0; k < K; k++)
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const size_t here = k * source.part + at + g * 16;
            const Vec *tap = taps + 12 * k;
            const Vec a = load(source.base[0] + here), b = load(source.base[1] + here);
            const Vec c = load(source.base[2] + here), d = load(source.base[3] + here);
            const Vec outer = a + d, inner = b + c, outer_difference = a - d, inner_difference = b - c;
#pragma GCC unroll 2
            for (int s = 0; s < 2; s++) {
                even[g][s] += tap[4 * s] * outer;
                odd[g][s] += tap[4 * s + 1] * outer_difference;
                even[g][s] += tap[4 * s + 2] * inner;
                odd[g][s] += tap[4 * s + 3] * inner_difference;
            }
            middle[g] += tap[8] * outer;
            middle[g] += tap[9] * inner;
            first[g] += tap[10] * c;
            first[g] += tap[11] * d;
            last[g] += tap[11] * a;
            last[g] += tap[10] * b;
        }
#pragma GCC unroll 2
    for (int g = 0; g < G; g++)
        out[g] = {{even[g][0] + odd[g][0], middle[g], even[g][0] - odd[g][0],  //
                   first[g], even[g][1] + odd[g][1], even[g][1] - odd[g][1], last[g]}};
}

template <int P, int K, int G>
inline __attribute__((always_inline)) void fold(const FallSource &source, int at, const Vec *taps, Folded *out) {
    if constexpr (P == 2) fold_two_planes<K, G>(source, at, taps, out);
    else fold_four_planes<K, G>(source, at, taps, out);
}

template <int P>
inline __attribute__((always_inline)) void add_steps(const Folded &low, const Folded &high, Vec *sum) {
    const Vec *a = low.z, *b = high.z;
    if constexpr (P == 2) {
        sum[0] = ((a[0] + slide<1>(a[1], b[1])) + (slide<2>(a[2], b[2]) + slide<3>(a[3], b[3]))) +
                 (slide<4>(a[4], b[4]) + slide<5>(a[5], b[5]));
    } else {
        sum[0] = a[0] + (slide<1>(a[1], b[1]) + slide<2>(a[2], b[2]));
        sum[1] = (a[3] + slide<1>(a[4], b[4])) + (slide<2>(a[5], b[5]) + slide<3>(a[6], b[6]));
    }
}

// One output row from P planes by K terms; its samples are in P / 2 planes in turn.
template <int P, int K>
AF_PASS void fall_row_folded(const FallSource &given, float *y, int width, const Vec *taps, Vec scale) {
    constexpr int S = P / 2, STEP = 16 * S;
    const FallSource source = given;  // a copy that no store can change
    Folded low, next[2];
    Vec sum[S];
    fold<P, K, 1>(source, 0, taps, &low);
    int done = 0, at = 16;
    for (; done + STEP < width; done += 2 * STEP, at += 32) {
        fold<P, K, 2>(source, at, taps, next);
        add_steps<P>(low, next[0], sum);
        store_samples<S>(y + done, sum, scale, STEP);
        add_steps<P>(next[0], next[1], sum);
        store_samples<S>(y + done + STEP, sum, scale, width - done - STEP);
        low = next[1];
    }
    if (done < width) {
        fold<P, K, 1>(source, at, taps, next);
        add_steps<P>(low, next[0], sum);
        store_samples<S>(y + done, sum, scale, width - done);
    }
}

#endif

}  // namespace
