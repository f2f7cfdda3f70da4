// SPDX-License-Identifier: Apache-2.0
// How a tensor is written as text: which elements are shown, and with how many digits.
#include "pumice/tensor.h"

#include "tensor/tensor_impl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace pumice {

namespace {

// At most so many values at each end of a dimension.
constexpr std::int64_t kEdge = 6;

std::string text_of(double value, DType dtype) {
    if (dtype == kBool) {
        return value != 0.0 ? "true" : "false";
    }
    if (!is_floating_point(dtype)) {
        return fmt::format("{}", static_cast<std::int64_t>(value));
    }
    // Digits that tell two values of the dtype apart.
    switch (dtype) {
        case kFloat16: return fmt::format("{:.5g}", value);
        case kBFloat16: return fmt::format("{:.4g}", value);
        default: return fmt::format("{}", static_cast<float>(value));
    }
}

class Printer {
public:
    Printer(const Dims& sizes, DType dtype, const std::vector<double>& values)
        : sizes_(sizes), dtype_(dtype), values_(values) {
        for_each_shown(0, 0, [this](std::int64_t at) {
            width_ =
                std::max(width_, text_of(values_[static_cast<std::size_t>(at)], dtype_).size());
        });
    }

    [[nodiscard]] std::string print() const {
        std::string out;
        append(out, 0, 0);
        return out;
    }

private:
    // Calls `visit` with the position of each value that is printed.
    template <class F>
    void for_each_shown(std::int64_t dim, std::int64_t start, const F& visit) const {
        if (dim == sizes_.count()) {
            visit(start);
            return;
        }
        for (std::int64_t i = 0; i < sizes_[dim]; ++i) {
            if (is_shown(dim, i)) {
                for_each_shown(dim + 1, start + i * block(dim), visit);
            }
        }
    }

    [[nodiscard]] bool is_shown(std::int64_t dim, std::int64_t i) const noexcept {
        return i < kEdge || i >= sizes_[dim] - kEdge;
    }

    // Values in one step along the dimension.
    [[nodiscard]] std::int64_t block(std::int64_t dim) const noexcept {
        std::int64_t count = 1;
        for (std::int64_t d = dim + 1; d < sizes_.count(); ++d) {
            count *= sizes_[d];
        }
        return count;
    }

    void append(std::string& out, std::int64_t dim, std::int64_t start) const {
        if (dim == sizes_.count()) {
            out += fmt::format(
                "{:>{}}", text_of(values_[static_cast<std::size_t>(start)], dtype_), width_);
            return;
        }
        const bool is_last = dim + 1 == sizes_.count();
        const std::string between =
            is_last ? ", "
                    : "," + std::string(static_cast<std::size_t>(sizes_.count() - dim - 1), '\n') +
                          std::string(static_cast<std::size_t>(dim + 1), ' ');
        out += '[';
        for (std::int64_t i = 0; i < sizes_[dim]; ++i) {
            if (i > 0 && (is_shown(dim, i) || i == kEdge)) {
                out += between;
            }
            if (is_shown(dim, i)) {
                append(out, dim + 1, start + i * block(dim));
            } else if (i == kEdge) {
                out += "...";
            }
        }
        out += ']';
    }

    const Dims& sizes_;
    DType dtype_;
    const std::vector<double>& values_;
    std::size_t width_ = 0;
};

}  // namespace

std::string to_string(const Tensor& tensor) {
    if (!tensor.defined()) {
        return "undefined tensor";
    }
    const TensorImpl& impl = impl_of(tensor);
    const std::vector<double> values = tensor.to_vector<double>();
    return fmt::format("{}\n{} {}",
                       Printer(impl.sizes, impl.dtype, values).print(),
                       to_string(impl.sizes),
                       to_string(impl.dtype));
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
    return out << to_string(tensor);
}

}  // namespace pumice
