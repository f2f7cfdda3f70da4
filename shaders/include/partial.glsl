// SPDX-License-Identifier: Apache-2.0
// What a lane knows of a reduction after some elements (a Partial), and how two become one.
//
// The including kernel defines REDUCE_OP (kReduce...) and REDUCE_DTYPE (of the elements) before.
#ifndef PUMICE_PARTIAL_GLSL
#define PUMICE_PARTIAL_GLSL

#include "dtype.glsl"
#include "math.glsl"

//@enum ReduceOp
const uint kReduceSum = 0u;
const uint kReduceMean = 1u;
const uint kReduceAMax = 2u;
const uint kReduceAMin = 3u;
const uint kReduceAny = 4u;
const uint kReduceAll = 5u;
const uint kReduceVar = 6u;
const uint kReduceStd = 7u;
const uint kReduceArgMax = 8u;
const uint kReduceArgMin = 9u;
const uint kReduceLogSumExp = 10u;
const uint kReduceSquares = 11u;

// What elements of a variance are taken relative to; set before reduce_range, the same for all
// Partials of an output.
float reduce_pivot = 0.0;

// sum, mean, squares: a + b. amax, amin: a. var, std: mean reduce_pivot + a, squared deviations
// b + c, n elements.
// logsumexp: largest a, sum of exp(x - a) as b + c. Integers, any, all: i. argmax, argmin: value a
// or i, index j, which is -1 before the first element.
struct Partial {
    float a;
    float b;
    float c;
    float n;
    int i;
    int j;
};

bool reduce_op_is(uint first, uint second) {
    return REDUCE_OP == first || REDUCE_OP == second;
}

bool has_int_value() {
    return reduce_op_is(kReduceAny, kReduceAll) || !is_float_dtype(REDUCE_DTYPE);
}

bool has_index() {
    return reduce_op_is(kReduceArgMax, kReduceArgMin);
}

bool is_infinite(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) == 0x7f800000u;
}

float nan_max(float a, float b) {
    return is_nan(a) || a > b ? a : b;
}

float nan_min(float a, float b) {
    return is_nan(a) || a < b ? a : b;
}

Partial empty_partial() {
    Partial p = Partial(0.0, 0.0, 0.0, 0.0, 0, -1);
    if (REDUCE_OP == kReduceAMax || REDUCE_OP == kReduceLogSumExp) {
        p.a = -infinity();
        p.i = int(0x80000000u);
    } else if (REDUCE_OP == kReduceAMin) {
        p.a = infinity();
        p.i = 0x7fffffff;
    } else if (REDUCE_OP == kReduceAll) {
        p.i = 1;
    }
    return p;
}

uvec4 pack_partial(Partial p) {
    return uvec4(has_int_value() ? uint(p.i) : floatBitsToUint(p.a),
                 floatBitsToUint(p.b),
                 has_index() ? uint(p.j) : floatBitsToUint(p.c),
                 floatBitsToUint(p.n));
}

Partial unpack_partial(uvec4 words) {
    return Partial(uintBitsToFloat(words.x),
                   uintBitsToFloat(words.y),
                   uintBitsToFloat(words.z),
                   uintBitsToFloat(words.w),
                   int(words.x),
                   int(words.z));
}

// x + y exactly, as a rounded sum and its error.
vec2 two_sum(float x, float y) {
    precise float total = x + y;
    precise float y_part = total - x;
    precise float x_part = total - y_part;
    precise float x_error = x - x_part;
    precise float y_error = y - y_part;
    precise float error = x_error + y_error;
    return vec2(total, error);
}

// (x.x + x.y) + (y.x + y.y).
vec2 add_pairs(vec2 x, vec2 y) {
    vec2 total = two_sum(x.x, y.x);
    precise float error = (x.y + y.y) + total.y;
    return vec2(total.x, error);
}

// The value of a sum kept as a pair; an infinite sum has a meaningless error.
float pair_value(float total, float error) {
    return is_finite(total) ? total + error : total;
}

// What exponents are taken against: an infinite maximum would make NaN out of the finite rest.
float exp_origin(float largest) {
    return is_infinite(largest) ? 0.0 : largest;
}

bool comes_first(Partial p, Partial q) {
    if (p.j < 0 || q.j < 0) {
        return q.j < 0;
    }
    if (has_int_value()) {
        bool is_better = REDUCE_OP == kReduceArgMax ? p.i > q.i : p.i < q.i;
        return p.i == q.i ? p.j < q.j : is_better;
    }
    bool p_is_nan = is_nan(p.a);
    bool q_is_nan = is_nan(q.a);
    if (p_is_nan || q_is_nan || p.a == q.a) {
        return p_is_nan == q_is_nan ? p.j < q.j : p_is_nan;
    }
    return REDUCE_OP == kReduceArgMax ? p.a > q.a : p.a < q.a;
}

Partial merge_variances(Partial p, Partial q) {
    if (p.n == 0.0 || q.n == 0.0) {
        if (p.n == 0.0) {
            return q;
        }
        return p;
    }
    precise float n = p.n + q.n;
    precise float delta = q.a - p.a;
    precise float share = q.n / n;
    precise float between = delta * delta * (p.n * share);
    vec2 within = add_pairs(vec2(p.b, p.c), vec2(q.b, q.c));
    within = add_pairs(within, vec2(between, 0.0));
    precise float mean = p.a + delta * share;
    return Partial(mean, within.x, within.y, n, 0, -1);
}

// What brings a sum of exponents with this largest value to a new origin. A part of nothing but
// -inf sums to 0, which an overflowing scale would make NaN.
float exponent_scale(float largest, float origin) {
    if (floatBitsToUint(largest) == 0xff800000u) {
        return 0.0;
    }
    return largest == origin ? 1.0 : exp_float(exp_origin(largest) - origin);
}

Partial merge_exponents(Partial p, Partial q) {
    float largest = nan_max(p.a, q.a);
    float origin = exp_origin(largest);
    vec2 total = add_pairs(vec2(p.b, p.c) * exponent_scale(p.a, origin),
                           vec2(q.b, q.c) * exponent_scale(q.a, origin));
    return Partial(largest, total.x, total.y, 0.0, 0, -1);
}

Partial merge(Partial p, Partial q) {
    if (has_index()) {
        if (comes_first(p, q)) {
            return p;
        }
        return q;
    }
    if (reduce_op_is(kReduceVar, kReduceStd)) {
        return merge_variances(p, q);
    }
    if (REDUCE_OP == kReduceLogSumExp) {
        return merge_exponents(p, q);
    }
    if (REDUCE_OP == kReduceAMax) {
        p.a = nan_max(p.a, q.a);
        p.i = max(p.i, q.i);
    } else if (REDUCE_OP == kReduceAMin) {
        p.a = nan_min(p.a, q.a);
        p.i = min(p.i, q.i);
    } else if (REDUCE_OP == kReduceAny) {
        p.i |= q.i;
    } else if (REDUCE_OP == kReduceAll) {
        p.i &= q.i;
    } else if (has_int_value()) {
        p.i += q.i;
    } else {
        vec2 total = add_pairs(vec2(p.a, p.b), vec2(q.a, q.b));
        p.a = total.x;
        p.b = total.y;
    }
    return p;
}

#endif
