// SPDX-License-Identifier: Apache-2.0
// (x - mean) * (inverse_deviation * scale) + shift, each but x one value a channel; what is absent
// leaves x alone. One invocation takes four neighbours.
//
// Bindings: 0 x [rows, channel_count, inner_count], 1 y of that shape, both contiguous; 2 scale,
//           3 shift, 4 mean, 5 inverse_deviation [channel_count], float32, contiguous (bound to
//           anything unless HAS_SCALE, HAS_SHIFT, HAS_STATISTICS)
// Push: first                      of the elements bound, counted from the start of x
//       count, x_offset            elements bound; elements before the first of them
//       channel_count, inner_count extents
//       scale_offset, shift_offset, mean_offset, inverse_deviation_offset
//                                  elements before the first
// Spec: LOCAL_SIZE 1..1024 (64); X_DTYPE a floating DType (float32); HAS_SCALE, HAS_SHIFT,
//       HAS_STATISTICS (false).
//@iterations 5 + 8
#version 460
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64u;
layout(constant_id = 1) const uint X_DTYPE = 0u;
layout(constant_id = 2) const bool HAS_SCALE = false;
layout(constant_id = 3) const bool HAS_SHIFT = false;
layout(constant_id = 4) const bool HAS_STATISTICS = false;

#include "reads.glsl"

READ_WORDS(0, X, x_words);
layout(set = 0, binding = 1, std430) writeonly buffer Y {
    uint y_words[];
};
READ_WORDS(2, Scale, scale);
READ_WORDS(3, Shift, shift);
READ_WORDS(4, Mean, mean);
READ_WORDS(5, InverseDeviation, inverse_deviation);

layout(push_constant, std430) uniform Push {
    uint first;
    uint count;
    uint x_offset;
    uint channel_count;
    uint inner_count;
    uint scale_offset;
    uint shift_offset;
    uint mean_offset;
    uint inverse_deviation_offset;
} push;

#include "dtype.glsl"
#include "grid.glsl"

// What one channel subtracts, multiplies by and adds.
struct ChannelMap {
    float center;
    float factor;
    float addend;
};

ChannelMap map_of(uint channel) {
    ChannelMap map = ChannelMap(0.0, 1.0, 0.0);
    if (HAS_STATISTICS) {
        map.center = read_float(mean, push.mean_offset + channel);
        map.factor = read_float(inverse_deviation, push.inverse_deviation_offset + channel);
    }
    if (HAS_SCALE) {
        precise float scaled = map.factor * read_float(scale, push.scale_offset + channel);
        map.factor = scaled;
    }
    if (HAS_SHIFT) {
        map.addend = read_float(shift, push.shift_offset + channel);
    }
    return map;
}

void main() {
    uint begin = linear_invocation() * 4u;
    if (begin >= push.count) {
        return;
    }
    uint end = min(begin + 4u, push.count);
    uint row = (push.first + begin) / push.inner_count;
    uint inner = push.first + begin - row * push.inner_count;
    uint channel = row % push.channel_count;
    ChannelMap map = map_of(channel);
    uint run = elements_per_word(X_DTYPE);
    for (uint at = begin; at < end; at += run) {
        uint word = 0u;
        for (uint i = at; i < min(at + run, end); ++i) {
            if (inner == push.inner_count) {
                inner = 0u;
                channel = channel + 1u == push.channel_count ? 0u : channel + 1u;
                map = map_of(channel);
            }
            uint x_at = push.x_offset + i;
            float x = decode_float(read_word(x_words, word_index(x_at, X_DTYPE)), x_at, X_DTYPE);
            precise float y = (x - map.center) * map.factor + map.addend;
            word |= place_bits(encode_float(y, X_DTYPE), i, X_DTYPE);
            ++inner;
        }
        y_words[word_index(at, X_DTYPE)] = word;
    }
}
