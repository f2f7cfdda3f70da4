// SPDX-License-Identifier: Apache-2.0
// What layer_norm (REDUCE_OP kReduceVar) and rms_norm (kReduceSquares) take from a row. Include
// after lanes.glsl.
#ifndef PUMICE_ROW_STATS_GLSL
#define PUMICE_ROW_STATS_GLSL

// The mean is pivot + shift (both 0 for rms_norm); rate is 1 / sqrt(var + eps), or
// 1 / sqrt(mean(x^2) + eps).
struct RowStats {
    float pivot;
    float shift;
    float rate;
};

// What a whole row's Partial, relative to reduce_pivot, says.
RowStats stats_from(Partial p, uint row_length, float eps) {
    bool is_centered = REDUCE_OP == kReduceVar;
    float total = is_centered ? pair_value(p.b, p.c) : pair_value(p.a, p.b);
    precise float rate = 1.0 / sqrt(total / float(row_length) + eps);
    return RowStats(reduce_pivot, is_centered ? p.a : 0.0, rate);
}

// The same for every lane of the row. Every invocation of the workgroup must come here.
RowStats row_stats(uint base, uint row_length, float eps, bool is_wanted) {
    Partial p = empty_partial();
    if (is_wanted) {
        reduce_pivot = REDUCE_OP == kReduceVar ? load_float(base, 0u) : 0.0;
        p = reduce_range(base, lane_index(), row_length, LANES);
    }
    return stats_from(merge_lanes(p), row_length, eps);
}

float normalize(float x, RowStats stats) {
    precise float normalized = ((x - stats.pivot) - stats.shift) * stats.rate;
    return normalized;
}

#endif
