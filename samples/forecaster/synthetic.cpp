// SPDX-License-Identifier: Apache-2.0
#include "forecaster/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace forecaster {

namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

using Series = std::vector<double>;

double at(const Series& values, std::int64_t index) {
    return values[static_cast<std::size_t>(index)];
}

std::int64_t count_of(const Series& values) {
    return static_cast<std::int64_t>(values.size());
}

double mean_of(const Series& values) {
    double total = 0.0;
    for (const double value : values) {
        total += value;
    }
    return total / static_cast<double>(values.size());
}

double deviation_of(const Series& values) {
    const double mean = mean_of(values);
    double total = 0.0;
    for (const double value : values) {
        total += (value - mean) * (value - mean);
    }
    return std::sqrt(total / static_cast<double>(values.size()));
}

std::int64_t draw_period(Draws& draws) {
    struct Choice {
        std::int64_t period;
        double probability;
    };

    constexpr std::array<Choice, 7> kChoices = {
        {{12, .42}, {4, .20}, {7, .12}, {24, .05}, {6, .03}, {52, .02}, {30, .01}}};
    double x = draws.uniform();
    for (const Choice& choice : kChoices) {
        if (x < choice.probability) {
            return choice.period;
        }
        x -= choice.probability;
    }
    return static_cast<std::int64_t>(draws.log_uniform(3.0, 61.0));
}

void add_harmonics(Draws& draws, Series& cycle) {
    const auto period = static_cast<double>(cycle.size());
    const double most = std::min(4.0, std::max(1.0, std::floor(period / 2.0)));
    const auto count = 1 + static_cast<std::int64_t>(draws.uniform() * most);
    for (std::int64_t h = 1; h <= count; ++h) {
        const double amplitude = draws.normal() / std::pow(static_cast<double>(h), 0.7);
        const double phase = draws.uniform(0.0, kTwoPi);
        for (std::size_t j = 0; j < cycle.size(); ++j) {
            cycle[j] +=
                amplitude *
                std::sin(kTwoPi * static_cast<double>(h) * static_cast<double>(j) / period + phase);
        }
    }
}

void add_smoothed_noise(Draws& draws, Series& cycle) {
    cycle = draws.normals(count_of(cycle));
    const std::int64_t rounds = draws.integer(0, cycle.size() <= 12 ? 2 : 6);
    const std::size_t n = cycle.size();
    for (std::int64_t round = 0; round < rounds; ++round) {
        Series smooth(n);
        for (std::size_t j = 0; j < n; ++j) {
            smooth[j] = 0.25 * cycle[(j + n - 1) % n] + 0.5 * cycle[j] + 0.25 * cycle[(j + 1) % n];
        }
        cycle = smooth;
    }
}

void add_peaks(Draws& draws, Series& cycle) {
    const std::int64_t period = count_of(cycle);
    const double phase = draws.uniform(0.0, kTwoPi);
    const double amplitude = draws.uniform();
    for (std::size_t j = 0; j < cycle.size(); ++j) {
        cycle[j] += amplitude *
                    std::sin(kTwoPi * static_cast<double>(j) / static_cast<double>(period) + phase);
    }
    const std::int64_t peaks = draws.integer(1, std::max<std::int64_t>(1, period / 4));
    for (std::int64_t i = 0; i < peaks; ++i) {
        const std::int64_t place = draws.integer(0, period - 1);
        cycle[static_cast<std::size_t>(place)] += 2.0 * draws.normal();
    }
}

// One cycle of zero mean and unit deviation.
Series draw_cycle(Draws& draws, std::int64_t period) {
    Series cycle(static_cast<std::size_t>(period), 0.0);
    const double kind = draws.uniform();
    if (kind < 0.45) {
        add_harmonics(draws, cycle);
    } else if (kind < 0.80) {
        add_smoothed_noise(draws, cycle);
    } else {
        add_peaks(draws, cycle);
    }
    const double mean = mean_of(cycle);
    const double deviation = deviation_of(cycle);
    for (std::size_t j = 0; j < cycle.size(); ++j) {
        cycle[j] = deviation > 1e-3
                       ? (cycle[j] - mean) / deviation
                       : std::numbers::sqrt2 * std::sin(kTwoPi * static_cast<double>(j) /
                                                        static_cast<double>(period));
    }
    return cycle;
}

// A repeated cycle; in some series its shape wanders.
Series draw_season(Draws& draws, std::int64_t length, std::int64_t period) {
    Series cycle = draw_cycle(draws, period);
    const std::int64_t offset = draws.integer(0, period - 1);
    const double wander = draws.chance(0.4) ? draws.log_uniform(0.02, 0.25) : 0.0;
    Series season;
    for (std::int64_t t = 0; t < length; ++t) {
        double& value = cycle[static_cast<std::size_t>((t + offset) % period)];
        if (wander > 0.0) {
            value += wander * draws.normal();
        }
        season.push_back(value);
    }
    return season;
}

Series draw_autoregression(Draws& draws, std::int64_t length, double phi) {
    const double innovation = std::sqrt(1.0 - phi * phi);
    Series values;
    double x = draws.normal();
    for (std::int64_t t = 0; t < length; ++t) {
        values.push_back(x);
        x = phi * x + innovation * draws.normal();
    }
    return values;
}

Series random_walk(Draws& draws, std::int64_t length) {
    Series values;
    double x = 0.0;
    for (std::int64_t t = 0; t < length; ++t) {
        x += draws.normal();
        values.push_back(x);
    }
    return values;
}

Series piecewise_trend(Draws& draws, std::int64_t length, double sign) {
    Series values;
    for (std::int64_t t = 0; t < length; ++t) {
        values.push_back(sign * static_cast<double>(t) / 100.0);
    }
    const std::int64_t bends = draws.integer(1, 4);
    for (std::int64_t i = 0; i < bends; ++i) {
        const double place = draws.uniform(0.0, static_cast<double>(length));
        const double slope = draws.normal();
        for (std::int64_t t = 0; t < length; ++t) {
            values[static_cast<std::size_t>(t)] +=
                slope * std::max(0.0, static_cast<double>(t) - place) / 100.0;
        }
    }
    return values;
}

Series curved_trend(Draws& draws, std::int64_t length, double sign) {
    const double tau = draws.log_uniform(0.4, 3.0);
    const bool saturates = draws.chance(0.6);
    const double end = static_cast<double>(length) / 100.0;
    Series values;
    for (std::int64_t i = 0; i < length; ++i) {
        const double t = static_cast<double>(i) / 100.0;
        values.push_back(saturates ? sign * tau * (1.0 - std::exp(-t / tau))
                                   : sign * 0.8 * t * t / end);
    }
    return values;
}

Series wandering_slope(Draws& draws, std::int64_t length, double sign) {
    const double step = draws.log_uniform(0.03, 0.3);
    double slope = sign * draws.uniform();
    double x = 0.0;
    Series values;
    for (std::int64_t t = 0; t < length; ++t) {
        slope += step * draws.normal();
        x += slope / 100.0;
        values.push_back(x);
    }
    return values;
}

// In units of a change of about 1 in 100 steps.
Series draw_trend(Draws& draws, std::int64_t length) {
    const double kind = draws.uniform();
    const double sign = draws.chance(0.7) ? 1.0 : -1.0;
    if (kind >= 0.35 && kind < 0.60) {
        return piecewise_trend(draws, length, sign);
    }
    if (kind >= 0.60 && kind < 0.72) {
        return curved_trend(draws, length, sign);
    }
    if (kind >= 0.72 && kind < 0.88) {
        return wandering_slope(draws, length, sign);
    }
    const bool walks = kind >= 0.88;
    const double slope = walks ? sign * draws.uniform() : sign;
    Series values =
        walks ? random_walk(draws, length) : Series(static_cast<std::size_t>(length), 0.0);
    const double scale = walks ? draws.log_uniform(0.03, 0.15) : 0.0;
    for (std::int64_t t = 0; t < length; ++t) {
        double& value = values[static_cast<std::size_t>(t)];
        value = slope * static_cast<double>(t) / 100.0 + scale * value;
    }
    return values;
}

Series draw_noise(Draws& draws, std::int64_t length) {
    Series noise = draws.chance(0.6) ? draws.normals(length)
                                     : draw_autoregression(draws, length, draws.uniform(0.2, 0.95));
    if (draws.chance(0.12)) {
        const double outlier = draws.uniform(0.005, 0.03);
        for (double& value : noise) {
            if (draws.chance(outlier)) {
                value += 5.0 * draws.normal();
            }
        }
    }
    return noise;
}

void exponentiate(Series& values, double factor) {
    for (double& value : values) {
        value = std::exp(factor * value);
    }
}

// Stationary: first order, or second order with a pseudo-cycle.
Series draw_stationary(Draws& draws, std::int64_t length) {
    if (draws.chance(0.4)) {
        return draw_autoregression(draws, length, draws.uniform(0.0, 0.97));
    }
    constexpr std::int64_t kBurnIn = 100;
    const double period = draws.log_uniform(5.0, 40.0);
    const double radius = draws.uniform(0.85, 0.995);
    const double a = 2.0 * radius * std::cos(kTwoPi / period);
    const double b = -radius * radius;
    Series values;
    double before = 0.0;
    double last = 0.0;
    for (std::int64_t t = 0; t < length + kBurnIn; ++t) {
        const double value = a * last + b * before + draws.normal();
        before = last;
        last = value;
        if (t >= kBurnIn) {
            values.push_back(value);
        }
    }
    const double deviation = deviation_of(values) + 1e-9;
    for (double& value : values) {
        value /= deviation;
    }
    if (draws.chance(0.4)) {
        exponentiate(values, 0.7);
    }
    return values;
}

Series draw_intermittent(Draws& draws, std::int64_t length) {
    const double rate = draws.uniform(0.05, 0.4);
    const double spread = draws.uniform();
    Series values;
    for (std::int64_t t = 0; t < length; ++t) {
        values.push_back(draws.chance(rate) ? std::exp(spread * draws.normal()) : 0.0);
    }
    return values;
}

// A random walk with drift whose increments are white or autoregressive.
Series draw_wandering(Draws& draws, std::int64_t length) {
    Series values = draws.chance(0.5)
                        ? draws.normals(length)
                        : draw_autoregression(draws, length, draws.uniform(0.0, 0.85));
    const double drift = 0.2 * draws.normal();
    double x = 0.0;
    for (double& value : values) {
        x += value + drift;
        value = x;
    }
    return values;
}

struct Parts {
    Series trend;
    Series season;
    Series noise;
    bool is_seasonal = false;
};

Parts draw_parts(Draws& draws, std::int64_t length) {
    Parts parts;
    parts.season.assign(static_cast<std::size_t>(length), 0.0);
    const double seasons = draws.uniform();
    parts.is_seasonal = seasons >= 0.12;
    if (parts.is_seasonal) {
        const std::int64_t period = draw_period(draws);
        parts.season = draw_season(draws, length, period);
        if (seasons >= 0.92) {
            std::int64_t second = draw_period(draws);
            if (second == period) {
                second = period < 30 ? 2 * period : period / 2;
            }
            const double weight = draws.uniform(0.2, 1.0);
            const Series other = draw_season(draws, length, second);
            for (std::size_t t = 0; t < other.size(); ++t) {
                parts.season[t] = 0.85 * (parts.season[t] + weight * other[t]);
            }
        }
    }
    parts.trend = draws.chance(0.85) ? draw_trend(draws, length)
                                     : Series(static_cast<std::size_t>(length), 0.0);
    parts.noise = draw_noise(draws, length);
    if (draws.chance(0.07)) {
        const double place = draws.uniform(0.0, static_cast<double>(length));
        const double shift = draws.normal() * draws.uniform(1.0, 6.0);
        for (std::int64_t t = 0; t < length; ++t) {
            parts.noise[static_cast<std::size_t>(t)] +=
                static_cast<double>(t) >= place ? shift : 0.0;
        }
    }
    return parts;
}

Series draw_structural(Draws& draws, std::int64_t length) {
    const Parts parts = draw_parts(draws, length);
    Series values;
    if (draws.chance(0.5)) {
        const double amplitude = draws.log_uniform(0.03, 0.5);
        const double growth = draws.log_uniform(0.05, 2.0);
        const double noise = (parts.is_seasonal ? amplitude : 0.2) * draws.log_uniform(0.03, 0.7);
        for (std::int64_t t = 0; t < length; ++t) {
            const double exponent = growth * at(parts.trend, t) + amplitude * at(parts.season, t) +
                                    noise * at(parts.noise, t);
            values.push_back(std::exp(std::clamp(exponent, -12.0, 12.0)));
        }
    } else {
        const double growth = draws.log_uniform(0.15, 8.0);
        const double noise = draws.log_uniform(0.03, 0.7);
        const double swell = draws.chance(0.3) ? draws.uniform(-0.3, 0.6) : 0.0;
        for (std::int64_t t = 0; t < length; ++t) {
            values.push_back(growth * at(parts.trend, t) +
                             at(parts.season, t) * (1.0 + swell * static_cast<double>(t) / 100.0) +
                             noise * at(parts.noise, t));
        }
    }
    if (draws.chance(0.04)) {
        for (double& value : values) {
            value = -value;
        }
    }
    return values;
}

Series draw_series(Draws& draws, std::int64_t length) {
    const double kind = draws.uniform();
    if (kind < 0.06) {
        Series values = draw_wandering(draws, length);
        if (draws.chance(0.4)) {
            exponentiate(values, draws.log_uniform(0.01, 0.06));
        }
        return values;
    }
    if (kind < 0.12) {
        return draw_stationary(draws, length);
    }
    if (kind < 0.14) {
        return draw_intermittent(draws, length);
    }
    if (kind < 0.15) {
        return Series(static_cast<std::size_t>(length), 1.0);
    }
    return draw_structural(draws, length);
}

}  // namespace

std::uint64_t Draws::next() noexcept {
    // splitmix64; Steele et al., "Fast splittable pseudorandom number generators", 2014.
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ z >> 30U) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27U) * 0x94d049bb133111ebULL;
    return z ^ z >> 31U;
}

double Draws::uniform(double low, double high) noexcept {
    return low + (high - low) * static_cast<double>(next() >> 11U) * 0x1p-53;
}

double Draws::log_uniform(double low, double high) noexcept {
    return std::exp(uniform(std::log(low), std::log(high)));
}

std::int64_t Draws::integer(std::int64_t low, std::int64_t high) noexcept {
    return low + static_cast<std::int64_t>(uniform() * static_cast<double>(high - low + 1));
}

double Draws::normal() noexcept {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(kTwoPi * uniform());
}

std::vector<double> Draws::normals(std::int64_t count) noexcept {
    std::vector<double> values;
    for (std::int64_t i = 0; i < count; ++i) {
        values.push_back(normal());
    }
    return values;
}

std::vector<float> make_series(std::uint64_t seed, std::uint64_t index, std::int64_t length) {
    Draws draws(seed * 0x9e3779b97f4a7c15ULL + index * 0xd1342543de82ef95ULL);
    const Series values = draw_series(draws, length);
    return {values.begin(), values.end()};
}

}  // namespace forecaster
