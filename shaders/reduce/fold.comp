// SPDX-License-Identifier: Apache-2.0
// Folds the reduced dimensions of a strided tensor: sum, mean, amax, amin, any, all, var, std,
// argmax, argmin, logsumexp. LANES invocations work on one output together (1: each alone, without
// barriers). Few outputs with many elements each are cut into chunks: a first run writes Partials,
// a second one reads them. Where x is too large to be bound, each of several first runs binds a
// window of it and folds some chunks of some outputs.
//
// Bindings: 0 x, kept x reduced, any strides (READS_PARTIALS: Partials [outputs, chunks])
//           1 result [outputs] contiguous, or Partials [outputs, chunk_count] (WRITES_PARTIALS)
//           2 x again, where the first reduced elements of the outputs are, which var and std take
//             as pivots
// Push: kept_sizes, kept_strides      kept dimensions, innermost in w; elements
//       reduced_sizes, reduced_strides  reduced dimensions, innermost in w; elements
//       output_count, reduced_count   elements; outputs of this run
//       chunk_length, chunk_count     reduced elements of a chunk; chunks an output
//       x_offset, pivot_offset        elements before the first of x in its bindings (which may lie
//                                     before them: unsigned numbers wrap)
//       first_output, first_chunk, end_chunk  of this run; 0, 0, chunk_count unless it is one of
//                                     several (WRITES_PARTIALS)
//       first_partial                 Partials that would stand before the first of the result
//       divisor                       mean: n; var, std: n - correction
// Spec: LOCAL_SIZE 1..1024 (64); REDUCE_OP kReduce* (sum); REDUCE_DTYPE, OUTPUT_DTYPE DType
//       (float32); LANES a power of two up to LOCAL_SIZE (1); READS_PARTIALS, WRITES_PARTIALS
//       (false); REDUCED_RANK 1..4 (1).
//@hook operand 0 2 (1 read)
//@hook result 1
//@iterations 1 + (WRITES_PARTIALS ? 1 : elements_per_word(OUTPUT_DTYPE)) *
//@    (1 + merge_lanes(LANES) +
//@     reduce_range(REDUCE_OP, REDUCE_DTYPE, READS_PARTIALS,
//@                  ceil(min(chunk_length, reduced_count) / LANES),
//@                  LANES == 1 && REDUCED_RANK > 1 ? reduced_sizes.w : reduced_count))
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint REDUCE_OP = 0u;
layout(constant_id = 2) const uint REDUCE_DTYPE = 0u;
layout(constant_id = 3) const uint OUTPUT_DTYPE = 0u;
layout(constant_id = 4) const uint LANES = 1u;
layout(constant_id = 5) const bool READS_PARTIALS = false;
layout(constant_id = 6) const bool WRITES_PARTIALS = false;
layout(constant_id = 7) const uint REDUCED_RANK = 1u;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) writeonly buffer Result {
    uint result_words[];
};
READ_WORDS(2, Pivots, pivot_words);

layout(push_constant, std430) uniform Push {
    uvec4 kept_sizes;
    uvec4 kept_strides;
    uvec4 reduced_sizes;
    uvec4 reduced_strides;
    uint output_count;
    uint reduced_count;
    uint chunk_length;
    uint chunk_count;
    uint x_offset;
    uint pivot_offset;
    uint first_output;
    uint first_chunk;
    uint end_chunk;
    uint first_partial;
    float divisor;
} push;

#define UNKNOWN_ZERO (push.output_count >> 31u)  // see hooks.glsl

#define HAS_RUNS (LANES == 1u && REDUCED_RANK > 1u)
#include "grid.glsl"
#include "lanes.glsl"

uint load_word(uint index) {
    return read_word(x_words, index);
}

// A lane that works alone over several dimensions goes run by run along the innermost one.
uint element_at(uint base, uint k) {
    if (LANES == 1u || REDUCED_RANK == 1u) {
        return base + k * push.reduced_strides.w;
    }
    return base + strided_offset(k, push.reduced_sizes, push.reduced_strides);
}

uint run_length(uint k) {
    return push.reduced_sizes.w - k % push.reduced_sizes.w;
}

// Such that elements keep their number k (unsigned numbers wrap).
uint run_base(uint base, uint k) {
    return base + strided_offset(k, push.reduced_sizes, push.reduced_strides) -
           k * push.reduced_strides.w;
}

uint finish(Partial p) {
    if (has_index()) {
        return encode_int(p.j, OUTPUT_DTYPE);
    }
    if (has_int_value()) {
        return encode_int(p.i, OUTPUT_DTYPE);
    }
    if (reduce_op_is(kReduceVar, kReduceStd)) {
        float variance = pair_value(p.b, p.c) / push.divisor;
        return encode_float(REDUCE_OP == kReduceStd ? sqrt(variance) : variance, OUTPUT_DTYPE);
    }
    if (REDUCE_OP == kReduceLogSumExp) {
        return encode_float(exp_origin(p.a) + log_float(pair_value(p.b, p.c)), OUTPUT_DTYPE);
    }
    if (REDUCE_OP == kReduceMean) {
        return encode_float(pair_value(p.a, p.b) / push.divisor, OUTPUT_DTYPE);
    }
    return encode_float(REDUCE_OP == kReduceSum ? pair_value(p.a, p.b) : p.a, OUTPUT_DTYPE);
}

float pivot_of(uint kept_offset) {
    uint at = push.pivot_offset + kept_offset;
    uint word =
        operand_word(read_word(pivot_words, word_index(at, REDUCE_DTYPE)), at, REDUCE_DTYPE);
    return decode_float(word, at, REDUCE_DTYPE);
}

void store_partial(uint index, Partial p) {
    uvec4 words = pack_partial(p);
    [[unroll]] for (uint i = 0u; i < 4u; ++i) {
        result_words[4u * index + i] = words[i];
    }
}

void main() {
    uint lane = lane_index();
    uint outputs_each = WRITES_PARTIALS ? 1u : elements_per_word(OUTPUT_DTYPE);
    uint unit_count = (push.output_count + outputs_each - 1u) / outputs_each;
    uint unit = item_index() % unit_count;
    uint chunk = push.first_chunk + item_index() / unit_count;
    uint first = min(chunk * push.chunk_length, push.reduced_count);
    uint end = min(first + push.chunk_length, push.reduced_count);
    uint word = 0u;
    for (uint i = 0u; i < outputs_each; ++i) {
        uint own_target = unit * outputs_each + i;
        uint target = push.first_output + own_target;
        bool is_wanted = chunk < push.end_chunk && own_target < push.output_count;
        Partial p = empty_partial();
        if (is_wanted) {
            uint kept_offset = strided_offset(target, push.kept_sizes, push.kept_strides);
            if (!READS_PARTIALS && reduce_op_is(kReduceVar, kReduceStd) && first < end) {
                reduce_pivot = pivot_of(kept_offset);
            }
            p = reduce_range(push.x_offset + kept_offset, first + lane, end, LANES);
        }
        p = merge_lanes(p);
        if (is_wanted && lane == 0u) {
            if (WRITES_PARTIALS) {
                store_partial(target * push.chunk_count + chunk - push.first_partial, p);
            } else {
                word |= place_bits(hooked_result(finish(p), target), target, OUTPUT_DTYPE);
            }
        }
    }
    if (!WRITES_PARTIALS && lane == 0u && chunk < push.end_chunk) {
        result_words[unit] = word;
    }
}
