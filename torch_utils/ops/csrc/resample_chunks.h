// A band of output rows in chunks: which rows each computes, and which rows between the passes the next one needs again.
#pragma once

#include "resample_plan.h"

namespace {

struct Chunk {
    int from, to;                // output rows
    int groups;                  // of upsampled rows that are new, `up` rows each
    int h_rows, h_kept;          // rows upsampled along x: all, those that the chunk before left
    int a_kept;                  // upsampled rows that the chunk before left
    int a_skipped;               // the first that row `from` needs
    int new_row, new_rows;       // input rows to read: the first, how many
    int h_again, h_again_at;     // what the next chunk needs: how many rows, from which on
    int a_again, a_again_at;
    int next_row;                // the first input row that the next chunk reads
    bool last;

    // Copies what the next chunk needs to where it will look for it.
    void keep_h(const Vec *h, Vec *kept) const {
        for (int i = 0; i < h_again; i++) kept[i] = h[h_again_at + i];
    }
    void keep_a(const Vec *a, Vec *kept) const {
        for (int i = 0; i < a_again; i++) kept[i] = a[a_again_at + i];
    }
};

class Chunks {
  public:
    Chunks(const Plan &p, int begin, int end)
        : ay_(p.ay), rows_(p.rows), end_(end), from_(begin), group_((p.ay.down * begin + p.ay.skip) / p.ay.up), a_first_(group_ * p.ay.up) {}

    bool left() const { return from_ < end_; }

    Chunk next() {
        Chunk c = {};
        c.from = from_, c.to = least(from_ + rows_, end_), c.last = c.to == end_;
        const int last_group = (ay_.down * (c.to - 1) + ay_.skip + ay_.taps_down - 1) / ay_.up;
        c.groups = most(0, last_group - group_ + 1);
        c.h_kept = h_kept_, c.a_kept = a_kept_;
        c.h_rows = c.groups > 0 ? c.groups + ay_.phase_taps - 1 : h_kept_;
        c.new_row = group_ + ay_.origin + h_kept_, c.new_rows = c.h_rows - h_kept_;
        c.a_skipped = ay_.down * c.from + ay_.skip - a_first_;
        const int next = ay_.down * c.to + ay_.skip;  // the first upsampled row of the next chunk
        const int a_end = (group_ + c.groups) * ay_.up, next_group = most(group_ + c.groups, next / ay_.up);
        c.a_again = most(0, a_end - most(next, a_first_)), c.a_again_at = a_end - a_first_ - c.a_again;
        c.h_again = most(0, c.h_rows - (next_group - group_)), c.h_again_at = c.h_rows - c.h_again;
        c.next_row = next_group + ay_.origin + c.h_again;
        a_first_ = c.a_again > 0 ? a_end - c.a_again : next_group * ay_.up;
        from_ = c.to, group_ = next_group, a_kept_ = c.a_again, h_kept_ = c.h_again;
        return c;
    }

  private:
    const Axis &ay_;
    int rows_, end_, from_;
    int group_;    // the next to be computed
    int a_first_;  // the upsampled row that is first of those kept
    int a_kept_ = 0, h_kept_ = 0;
};

}  // namespace
