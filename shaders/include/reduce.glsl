// SPDX-License-Identifier: Apache-2.0
// Reductions: how a range of elements becomes a Partial, block by block.
//
// Note [Block sums]: up to kReduceBlock elements are added plainly in four accumulators (at most 10
// roundings each), blocks are added with their rounding errors kept (Knuth's TwoSum). So the error
// stays below 1e-6 of the sum of magnitudes for any length. Variances take the mean of a block and
// then its squared deviations, and merge blocks by Chan, Golub and LeVeque's formula ("Updating
// formulae and a pairwise algorithm for computing sample variances", 1979), all relative to a pivot
// (the first reduced element), so that a mean far above the deviation costs no digits.
//
// The including kernel defines, before it includes this file, the constants
//   REDUCE_OP (kReduce...), REDUCE_DTYPE (of the elements), and READS_PARTIALS (the elements are
//   Partials that an earlier kernel stored), and after it the functions declared here. Where one
//   lane may walk over several dimensions, it defines HAS_RUNS (when it does) as well.
//
// What reduce_range makes of `elements` of a lane that lie in runs (HAS_RUNS) of `run`: a block is
// a pass, and those of the loops over its elements, of which sums take four at a time.
//@iterations reduce_blocks(elements, run) = ceil(elements / 32) +
//@    (run < elements ? ceil(elements / run) + 2 : 0)
//@iterations reduce_range(op, dtype, reads_partials, elements, run) = 1 +
//@    (reads_partials ? elements
//@     : op == kReduceLogSumExp ? 3 * reduce_blocks(elements, run) + 2 * elements
//@     : op == kReduceVar || op == kReduceStd ? 7 * reduce_blocks(elements, run) + 1.25 * elements
//@     : op == kReduceSquares || ((op == kReduceSum || op == kReduceMean) && is_float_dtype(dtype))
//@         ? 6 * reduce_blocks(elements, run) + 0.25 * elements
//@         : elements)
#ifndef PUMICE_REDUCE_GLSL
#define PUMICE_REDUCE_GLSL

#extension GL_EXT_control_flow_attributes : require

#include "hooks.glsl"
#include "partial.glsl"

const uint kReduceBlock = 32u;

// The word of the reduced buffer at an index.
uint load_word(uint index);
// Where element k of the reduced range lies, in elements (in Partials if READS_PARTIALS).
uint element_at(uint base, uint k);
#ifdef HAS_RUNS
// Elements from k on that element_at finds from one base, and that base.
uint run_length(uint k);
uint run_base(uint base, uint k);
#endif

uint element_word(uint at) {
    return operand_word(load_word(word_index(at, REDUCE_DTYPE)), at, REDUCE_DTYPE);
}

float load_float(uint base, uint k) {
    uint at = element_at(base, k);
    return decode_float(element_word(at), at, REDUCE_DTYPE);
}

Partial load_partial(uint base, uint k) {
    uint at = element_at(base, k);
    if (READS_PARTIALS) {
        return unpack_partial(uvec4(load_word(4u * at),
                                    load_word(4u * at + 1u),
                                    load_word(4u * at + 2u),
                                    load_word(4u * at + 3u)));
    }
    uint word = element_word(at);
    Partial p = empty_partial();
    if (reduce_op_is(kReduceAny, kReduceAll)) {
        p.i = int(decode_float(word, at, REDUCE_DTYPE) != 0.0);
    } else if (has_int_value()) {
        p.i = decode_int(word, at, REDUCE_DTYPE);
    } else {
        p.a = decode_float(word, at, REDUCE_DTYPE);
    }
    p.j = int(k);
    return p;
}

float load_term(uint base, uint k) {
    precise float x = load_float(base, k);
    if (REDUCE_OP == kReduceSquares) {
        x *= x;
    } else if (reduce_op_is(kReduceVar, kReduceStd)) {
        x -= reduce_pivot;
    }
    return x;
}

float sum_of_block(uint base, uint first, uint count, uint step) {
    precise float s0 = 0.0;
    precise float s1 = 0.0;
    precise float s2 = 0.0;
    precise float s3 = 0.0;
    uint i = 0u;
    for (; i + 4u <= count; i += 4u) {
        uint k = first + i * step;
        s0 += load_term(base, k);
        s1 += load_term(base, k + step);
        s2 += load_term(base, k + 2u * step);
        s3 += load_term(base, k + 3u * step);
    }
    for (; i < count; ++i) {
        s0 += load_term(base, first + i * step);
    }
    precise float total = (s0 + s1) + (s2 + s3);
    return total;
}

// The same with a mean taken off and squared.
float squares_of_block(uint base, uint first, uint count, uint step, float mean) {
    precise float squares = 0.0;
    for (uint i = 0u; i < count; ++i) {
        precise float deviation = load_term(base, first + i * step) - mean;
        squares += deviation * deviation;
    }
    return squares;
}

Partial exponents_of_block(uint base, uint first, uint count, uint step) {
    float largest = load_float(base, first);
    for (uint i = 1u; i < count; ++i) {
        largest = nan_max(largest, load_float(base, first + i * step));
    }
    float origin = exp_origin(largest);
    precise float total = 0.0;
    for (uint i = 0u; i < count; ++i) {
        total += exp_float(load_float(base, first + i * step) - origin);
    }
    return Partial(largest, total, 0.0, 0.0, 0, -1);
}

// Operations that gain by blocks; the others take element by element.
bool takes_blocks() {
    bool is_sum = reduce_op_is(kReduceSum, kReduceMean) && is_float_dtype(REDUCE_DTYPE);
    return !READS_PARTIALS && (is_sum || reduce_op_is(kReduceVar, kReduceStd) ||
                               reduce_op_is(kReduceSquares, kReduceLogSumExp));
}

Partial reduce_block(uint base, uint first, uint count, uint step) {
    if (!takes_blocks()) {
        return load_partial(base, first);
    }
    if (REDUCE_OP == kReduceLogSumExp) {
        return exponents_of_block(base, first, count, step);
    }
    Partial p = empty_partial();
    p.a = sum_of_block(base, first, count, step);
    if (reduce_op_is(kReduceVar, kReduceStd)) {
        p.n = float(count);
        p.a /= p.n;
        p.b = squares_of_block(base, first, count, step, p.a);
    }
    return p;
}

// Elements first, first + step, ... below end. Nothing is called from two places: drivers inline,
// and a pipeline takes as long to compile as the sum of all that.
Partial reduce_range(uint base, uint first, uint end, uint step) {
    Partial p = empty_partial();
    uint k = first;
    uint stop = end;
    uint from = base;
    while (k < end) {
#ifdef HAS_RUNS
        if (HAS_RUNS && (k == first || k == stop)) {
            stop = min(k + run_length(k), end);
            from = run_base(base, k);
        }
#endif
        uint count = 1u;
        if (takes_blocks()) {
            count = min(kReduceBlock, (stop - k + step - 1u) / step);
        }
        p = merge(p, reduce_block(from, k, count, step));
        k += count * step;
    }
    return p;
}

// Element offset of a row-major index over at most four dimensions, the innermost in w.
uint strided_offset(uint index, uvec4 sizes, uvec4 strides) {
    uint offset = 0u;
    [[unroll]] for (int d = 3; d > 0; --d) {
        if (sizes[d] > 1u) {
            offset += (index % sizes[d]) * strides[d];
            index /= sizes[d];
        }
    }
    return offset + index * strides[0];
}

#endif
