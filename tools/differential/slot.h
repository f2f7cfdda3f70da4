// SPDX-License-Identifier: Apache-2.0
// What the generator draws from, and what it knows of a slot.
#pragma once

#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

namespace differential {

using Shape = std::vector<std::int64_t>;

inline constexpr std::int64_t kMostElements = 24;

inline std::int64_t count_of(const Shape& sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

// SplitMix64: the standard's distributions differ between libraries.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}

    std::int64_t below(std::int64_t limit) {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        return static_cast<std::int64_t>((z ^ (z >> 31U)) % static_cast<std::uint64_t>(limit));
    }

    bool has_luck(std::int64_t percent) { return below(100) < percent; }

private:
    std::uint64_t state_;
};

// What the generator knows of a slot. It guesses the flags, so that most writes are allowed.
struct Slot {
    Shape sizes;
    int storage = 0;  ///< slots with the same one may share memory
    bool is_alive = true;
    bool is_tracked = false;
    bool is_leaf = true;
    bool is_view = false;
    bool is_inference = false;
    bool is_frail = false;  ///< a view that may not be written in grad mode, or overlaps itself
};

}  // namespace differential
