// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include "pumice/pumice.h"

#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pumice::differential {

bool is_same_value(double a, double b) noexcept {
    return a == b || (std::isnan(a) && std::isnan(b));
}

std::vector<Expected> compute(const Step& step, const std::vector<Flat>& flats) {
    return step.row->reference(flats, step);
}

namespace {

constexpr double kSmallest = 0x1p-126;  // normal float32

// Half a spacing of the dtype for the last rounding; what float32 may flush counts as zero.
double tolerance(DType dtype, double wanted, double bound) {
    if (!is_floating_point(dtype)) {
        return bound;
    }
    // Half types are rounded from float32, which has been rounded itself.
    const double twice = dtype == kFloat32 ? 0.0 : std::abs(wanted) * 0x1p-24;
    const double half = 0.5 * spacing(dtype, std::abs(wanted) + bound) * (1 + 1e-9);
    const double flushed = std::abs(wanted) - bound <= kSmallest ? kSmallest : 0.0;
    return bound + twice + half + flushed;
}

bool is_within(DType dtype, double got, double wanted, double bound) {
    if (!std::isfinite(bound)) {
        return true;
    }
    if (std::isnan(wanted) || std::isnan(got) || std::isinf(wanted)) {
        return is_same_value(got, wanted);
    }
    const double allowed = tolerance(dtype, wanted, bound);
    if (std::isinf(got)) {
        return std::signbit(got) == std::signbit(wanted) &&
               std::abs(wanted) + allowed >= largest(dtype);
    }
    // A value past the range is an infinity, but for what the bound leaves.
    return std::abs(got - wanted) <= allowed;
}

bool has_subnormals(const std::vector<Flat>& flats) {
    return std::any_of(flats.begin(), flats.end(), [](const Flat& flat) {
        return std::any_of(flat.values.begin(), flat.values.end(), [](double value) {
            return value != 0.0 && std::abs(value) < kSmallest;
        });
    });
}

std::vector<Flat> flushed(std::vector<Flat> flats) {
    for (Flat& flat : flats) {
        for (double& value : flat.values) {
            value = std::abs(value) < kSmallest ? std::copysign(0.0, value) : value;
        }
    }
    return flats;
}

bool is_right(const Expected& wanted, std::size_t i, double got) {
    return is_within(
        wanted.dtype, got, wanted.values[i], wanted.bounds.empty() ? 0.0 : wanted.bounds[i]);
}

}  // namespace

void check_values(const Step& step,
                  const std::vector<Expected>& wanted,
                  const std::vector<Flat>& flats,
                  std::size_t which,
                  const std::vector<double>& got) {
    const Expected& one = wanted.at(which);
    if (one.values.size() != got.size()) {
        throw Finding(fmt::format(
            "{}: {} values; the reference has {}", step.row->name, got.size(), one.values.size()));
    }
    std::vector<Expected> again;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (is_right(one, i, got[i])) {
            continue;
        }
        if (again.empty() && has_subnormals(flats)) {
            again = compute(step, flushed(flats));
        }
        if (!again.empty() && is_right(again[which], i, got[i])) {
            continue;
        }
        throw Finding(fmt::format("{}: element {} of {} {} is {}; wanted {} within {}",
                                  step.row->name,
                                  i,
                                  to_string(one.dtype),
                                  to_string(one.sizes),
                                  to_text(got[i]),
                                  to_text(one.values[i]),
                                  to_text(one.bounds.empty() ? 0.0 : one.bounds[i])));
    }
}

namespace {

std::uint32_t bits_at(const HostTensor& host, std::size_t index, std::size_t bytes) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        bits |= static_cast<std::uint32_t>(host.bytes[index * bytes + i]) << (8 * i);
    }
    return bits;
}

bool is_nan_bits(DType dtype, std::uint32_t bits) {
    switch (dtype) {
        case kFloat32: return (bits & 0x7fffffffU) > 0x7f800000U;
        case kFloat16: return (bits & 0x7fffU) > 0x7c00U;
        case kBFloat16: return (bits & 0x7fffU) > 0x7f80U;
        default: return false;
    }
}

}  // namespace

std::string differing_bits(const Tensor& got, const Tensor& wanted) {
    if (got.sizes() != wanted.sizes() || got.dtype() != wanted.dtype()) {
        return fmt::format("{} {}; wanted {} {}",
                           to_string(got.dtype()),
                           to_string(got.sizes()),
                           to_string(wanted.dtype()),
                           to_string(wanted.sizes()));
    }
    const HostTensor a = got.to_host();
    const HostTensor b = wanted.to_host();
    if (a.bytes == b.bytes) {
        return {};
    }
    const auto bytes = static_cast<std::size_t>(itemsize(a.dtype));
    for (std::size_t i = 0; i * bytes < a.bytes.size(); ++i) {
        const std::uint32_t left = bits_at(a, i, bytes);
        const std::uint32_t right = bits_at(b, i, bytes);
        if (left != right && !(is_nan_bits(a.dtype, left) && is_nan_bits(a.dtype, right))) {
            return fmt::format("element {} of {} {} is {} (bits {:x}); wanted {} (bits {:x})",
                               i,
                               to_string(a.dtype),
                               to_string(a.sizes),
                               to_text(a.values<double>()[i]),
                               left,
                               to_text(b.values<double>()[i]),
                               right);
        }
    }
    return {};
}

}  // namespace pumice::differential
