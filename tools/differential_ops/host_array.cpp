// SPDX-License-Identifier: Apache-2.0
#include "host_array.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_set>

namespace pumice::differential {

bool HostArray::is_contiguous() const noexcept {
    std::int64_t step = 1;
    for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
        if (sizes[i] != 1 && strides[i] != step) {
            return numel() == 0;
        }
        step *= sizes[i];
    }
    return true;
}

bool HostArray::overlaps_itself() const {
    std::unordered_set<std::int64_t> seen;
    for (const std::int64_t place : places(sizes, strides)) {
        if (!seen.insert(place).second) {
            return true;
        }
    }
    return false;
}

std::vector<double> HostArray::values() const {
    std::vector<double> out;
    out.reserve(static_cast<std::size_t>(numel()));
    for (const std::int64_t place : places(sizes, strides)) {
        out.push_back((*storage)[static_cast<std::size_t>(offset + place)]);
    }
    return out;
}

void HostArray::assign(std::span<const double> values) const {
    std::size_t next = 0;
    for (const std::int64_t place : places(sizes, strides)) {
        (*storage)[static_cast<std::size_t>(offset + place)] = values[next++];
    }
}

HostArray make_array(const Dims& sizes, DType dtype, std::vector<double> values) {
    return {.storage = std::make_shared<std::vector<double>>(std::move(values)),
            .sizes = sizes,
            .strides = row_major(sizes),
            .offset = 0,
            .dtype = dtype};
}

Dims row_major(const Dims& sizes) {
    Dims strides = sizes;
    std::int64_t step = 1;
    for (std::int64_t i = sizes.count() - 1; i >= 0; --i) {
        strides[i] = step;
        step *= std::max<std::int64_t>(sizes[i], 1);
    }
    return strides;
}

std::vector<std::int64_t> places(const Dims& sizes, const Dims& strides) {
    std::vector<std::int64_t> out;
    const std::int64_t count = numel(sizes);
    out.reserve(static_cast<std::size_t>(count));
    std::array<std::int64_t, kMaxDims> index{};
    std::int64_t place = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        out.push_back(place);
        for (std::int64_t dim = sizes.count() - 1; dim >= 0; --dim) {
            auto& at = index[static_cast<std::size_t>(dim)];
            place += strides[dim];
            if (++at < sizes[dim]) {
                break;
            }
            place -= at * strides[dim];
            at = 0;
        }
    }
    return out;
}

namespace {

// Bits of the significand, exponent of the smallest normal value and of the largest binade.
struct Format {
    int digits;
    int lowest;
    int highest;
};

Format format_of(DType dtype) {
    switch (dtype) {
        case kFloat16: return {11, -14, 15};
        case kBFloat16: return {8, -126, 127};
        default: return {24, -126, 127};
    }
}

double wrap(double value, std::int64_t modulus, std::int64_t low) {
    const auto integer = static_cast<std::int64_t>(value) - low;
    return static_cast<double>((integer % modulus + modulus) % modulus + low);
}

}  // namespace

double largest(DType dtype) {
    const Format format = format_of(dtype);
    return std::ldexp(2.0 - std::ldexp(1.0, 1 - format.digits), format.highest);
}

double smallest_normal(DType dtype) {
    return std::ldexp(1.0, format_of(dtype).lowest);
}

double spacing(DType dtype, double value) {
    const Format format = format_of(dtype);
    const double size = std::min(std::max(std::abs(value), smallest_normal(dtype)), largest(dtype));
    return std::ldexp(1.0, std::ilogb(size) - format.digits + 1);
}

double round_to(DType dtype, double value) {
    switch (dtype) {
        case kBool: return value != 0.0 ? 1.0 : 0.0;
        case kInt32: return wrap(value, std::int64_t{1} << 32, std::numeric_limits<int>::min());
        case kInt8: return wrap(value, 256, -128);
        case kUInt8: return wrap(value, 256, 0);
        default: break;
    }
    if (!std::isfinite(value) || value == 0.0) {
        return value;
    }
    const double step = spacing(dtype, value);
    const double rounded = std::nearbyint(value / step) * step;
    return std::abs(rounded) > largest(dtype)
               ? std::copysign(std::numeric_limits<double>::infinity(), value)
               : rounded;
}

double convert(double value, DType from, DType to) {
    if (is_floating_point(to) || to == kBool || !is_floating_point(from)) {
        return round_to(to, value);
    }
    if (std::isnan(value)) {
        return 0.0;
    }
    constexpr double kLow = std::numeric_limits<std::int32_t>::min();
    constexpr double kHigh = std::numeric_limits<std::int32_t>::max();
    return round_to(to, std::trunc(std::clamp(value, kLow, kHigh)));
}

int category(DType dtype) {
    return is_floating_point(dtype) ? 2 : (dtype == kBool ? 0 : 1);
}

DType promote(DType a, DType b) {
    if (a == b) {
        return a;
    }
    const auto rank = [](DType dtype) {
        switch (dtype) {
            case kBool: return 0;
            case kUInt8:
            case kInt8: return 1;
            case kInt32: return 2;
            case kFloat16:
            case kBFloat16: return 3;
            default: return 4;
        }
    };
    if (rank(a) == rank(b)) {
        return rank(a) == 1 ? kInt32 : kFloat32;
    }
    return rank(a) > rank(b) ? a : b;
}

namespace {

// A lower class of operands (zero-dimensional ones, numbers) counts only by a higher category.
DType give_way(DType higher, DType lower) {
    return category(lower) > category(higher) ? lower : higher;
}

}  // namespace

DType common_dtype(std::span<const Flat> operands) {
    bool has_dims = false;
    bool has_zero = false;
    DType dims = kBool;
    DType zero = kBool;
    for (const Flat& operand : operands) {
        DType& one = operand.sizes.empty() ? zero : dims;
        bool& has = operand.sizes.empty() ? has_zero : has_dims;
        one = has ? promote(one, operand.dtype) : operand.dtype;
        has = true;
    }
    return has_dims && has_zero ? give_way(dims, zero) : (has_dims ? dims : zero);
}

DType common_dtype(const Flat& operand, const Scalar& scalar) {
    return give_way(operand.dtype, scalar.dtype());
}

bool broadcast(const Dims& a, const Dims& b, Dims& result) {
    const std::int64_t rank = std::max(a.count(), b.count());
    result = Dims::filled(rank, 1);
    for (std::int64_t i = 1; i <= rank; ++i) {
        const std::int64_t left = i <= a.count() ? a[a.count() - i] : 1;
        const std::int64_t right = i <= b.count() ? b[b.count() - i] : 1;
        if (left != right && left != 1 && right != 1) {
            return false;
        }
        result[rank - i] = left == 1 ? right : left;
    }
    return true;
}

std::vector<double> spread(const Flat& operand, const Dims& sizes) {
    Dims strides = Dims::filled(sizes.count(), 0);
    const Dims own = row_major(operand.sizes);
    const std::int64_t lead = sizes.count() - operand.sizes.count();
    for (std::int64_t i = 0; i < own.count(); ++i) {
        strides[lead + i] = operand.sizes[i] == 1 ? 0 : own[i];
    }
    std::vector<double> out;
    out.reserve(static_cast<std::size_t>(numel(sizes)));
    for (const std::int64_t place : places(sizes, strides)) {
        out.push_back(operand.values[static_cast<std::size_t>(place)]);
    }
    return out;
}

}  // namespace pumice::differential
