// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace forecaster {

/// A small generator whose draws are the same on every machine: splitmix64 and Box-Muller.
/// (The standard library's distributions differ between implementations.)
class Draws {
public:
    explicit Draws(std::uint64_t seed) noexcept : state_(seed) {}

    /// Uniform in [low, high).
    double uniform(double low = 0.0, double high = 1.0) noexcept;
    /// Uniform in the logarithm, in [low, high).
    double log_uniform(double low, double high) noexcept;
    /// Uniform integer in [low, high].
    std::int64_t integer(std::int64_t low, std::int64_t high) noexcept;
    /// Standard normal.
    double normal() noexcept;
    std::vector<double> normals(std::int64_t count) noexcept;

    bool chance(double probability) noexcept { return uniform() < probability; }

private:
    std::uint64_t next() noexcept;
    std::uint64_t state_;
};

/// One synthetic series of `length` steps: trends (linear, piecewise, saturating, wandering), up to
/// two seasons of several periods, added or multiplied, autoregressive noise, outliers, level
/// shifts; or a random walk, an autoregressive process, an intermittent or flat series.
/// The same (seed, index) gives the same series.
std::vector<float> make_series(std::uint64_t seed, std::uint64_t index, std::int64_t length);

}  // namespace forecaster
