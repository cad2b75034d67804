// W' = gain d W s of modulate.cuh, laid out for conv.cuh: as the factors A of products of 16 outputs by 16 inputs, for each tap.
//
// Fragment ((image x chunks + chunk) x taps + tap) x tiles + tile is 512 bytes, 16 of each lane (see warp.cuh): four words, of outputs g and
// g + 8 at inputs 2t, 2t + 1, then the same at 2t + 8, 2t + 9. A block makes one output's share, and the zeros of one that is not there. It
// reads the weight as it lies, through shared memory, so that neither reads nor writes jump from lane to lane. For float32, after the tiles of
// a tap come those of what is left of them (see split.cuh).
#pragma once

#include "modulate.cuh"
#include "split.cuh"

constexpr int AF_PORTION = 2304;  // weights at once: 256 inputs of 3 x 3

template <class T> AF_DEVICE void make_fragments(const ModulateCall& call, float* sums, float* weights, int block) {
    const int tiles = (call.outputs + 15) / 16, chunks = (call.inputs + 15) / 16;
    constexpr int parts = sizeof(typename T::Raw) == 4 ? 2 : 1;
    const int output = block % (16 * tiles), image = block / (16 * tiles);
    const bool there = output < call.outputs;
    const float* const styles = call.styles + (long long)image * call.inputs;
    const float* const weight = call.weight + (long long)(there ? output : 0) * call.inputs * call.taps;
    unsigned* const out = static_cast<unsigned*>(call.out) + 128 * ((long long)image * chunks * call.taps * parts * tiles + output / 16);
    add_energy(call, styles, there ? output : 0, sums);
    const int count = there ? call.inputs * call.taps : 0, most = AF_PORTION / call.taps / 2 * 2;  // inputs of a portion, in pairs
    for (int first = 0; first < 16 * chunks; first += most) {
        AF_EACH_THREAD {
            const float lift = parts == 2 ? AF_LIFT_WEIGHT / power_below(call.gain, call.factor) : 1.0f;
            const float scale = channel_scale(call, sums) * lift;
            for (int i = thread; i < most * call.taps; i += AF_THREADS) {
                const int at = first * call.taps + i;
                weights[i] = at < count ? weight[at] * (styles[at / call.taps] * scale) : 0.0f;
            }
        }
        AF_BARRIER();
        AF_EACH_THREAD {
            const int pairs = (16 * chunks - first < most ? 16 * chunks - first : most) / 2;
            for (int i = thread; i < pairs * call.taps; i += AF_THREADS) {
                const int tap = i / pairs, pair = i % pairs, input = first + 2 * pair;
                const float* const from = weights + 2 * pair * call.taps + tap;
                const int word = 4 * (output % 8 * 4 + input % 8 / 2) + output % 16 / 8 + 2 * (input % 16 / 8);
                const long long fragment = (long long)(input / 16 * call.taps + tap) * parts * tiles;
                unsigned* const to = out + 128 * fragment + word;
                if constexpr (parts == 2)
                    split_pair(from[0], from[call.taps], to[0], to[128 * tiles]);
                else
                    to[0] = T::narrow(from[0]) | unsigned(T::narrow(from[call.taps])) << 16;
            }
        }
        AF_BARRIER();
    }
}
