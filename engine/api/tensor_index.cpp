// SPDX-License-Identifier: Apache-2.0
// Tensor::index and index_put_: views for what needs no tensor, then one read or write of rows.
// Also masked_select and nonzero.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/op_def.h"
#include "geometry/map_step.h"
#include "ops/index/gather.h"
#include "ops/index/index_places.h"
#include "ops/index/scatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace pumice {

namespace {

using indexing::EllipsisIndexType;
using indexing::Slice;
using indexing::TensorIndex;

// A tensor among the indices, and the dimensions of the view that it stands for: one for positions,
// its own number for a mask.
struct Advanced {
    std::int64_t first_dim = 0;
    std::int64_t dim_count = 1;
    Tensor index;
    bool is_mask = false;
};

// What the other indices leave of x, and the tensors that go on from there.
struct Selection {
    Tensor view;
    std::vector<Advanced> advanced;
};

std::int64_t dims_named(const TensorIndex& index) {
    if (const Tensor* tensor = std::get_if<Tensor>(&index.value())) {
        return checked_impl(*tensor, "index").dtype == kBool ? tensor->dim() : 1;
    }
    return std::holds_alternative<std::int64_t>(index.value()) ||
                   std::holds_alternative<Slice>(index.value())
               ? 1
               : 0;
}

// Takes the indices one by one; dim_ is the next dimension of the view.
class Walker {
public:
    Walker(const Tensor& x, std::span<const TensorIndex> indices) : selection_{x, {}} {
        const std::int64_t dim_count = checked_impl(x, "index").sizes.count();
        if (indices.empty()) {
            throw ArgumentError("index", "wanted at least one index; got none");
        }
        std::int64_t named = 0;
        std::int64_t ellipsis_count = 0;
        for (const TensorIndex& index : indices) {
            named += dims_named(index);
            ellipsis_count += std::holds_alternative<EllipsisIndexType>(index.value()) ? 1 : 0;
        }
        if (named > dim_count || ellipsis_count > 1) {
            throw ArgumentError("index",
                                fmt::format("wanted at most {} dimensions named and one Ellipsis; "
                                            "got {} dimensions and {} Ellipses for x {}",
                                            dim_count,
                                            named,
                                            ellipsis_count,
                                            describe(x)));
        }
        unnamed_ = dim_count - named;
    }

    Selection walk(std::span<const TensorIndex> indices) && {
        for (const TensorIndex& index : indices) {
            std::visit([this](const auto& value) { take(value); }, index.value());
        }
        return std::move(selection_);
    }

private:
    void take(std::nullopt_t /*none*/) {
        selection_.view = unsqueeze(selection_.view, dim_);
        ++dim_;
    }

    void take(EllipsisIndexType /*ellipsis*/) { dim_ += unnamed_; }

    void take(std::int64_t position) { selection_.view = select(selection_.view, dim_, position); }

    void take(const Slice& slice) {
        if (slice.step() < 1) {
            throw ArgumentError(
                "index", fmt::format("step must be greater than zero; got {}", slice.step()));
        }
        const std::int64_t extent = impl_of(selection_.view).sizes[dim_];
        const bool is_all =
            slice.start() == 0 && slice.step() == 1 && (!slice.stop() || *slice.stop() >= extent);
        if (!is_all) {
            selection_.view =
                pumice::slice(selection_.view, dim_, slice.start(), slice.stop(), slice.step());
        }
        ++dim_;
    }

    void take(bool keep) {
        take(std::nullopt);
        const Dims count(keep ? 1 : 0);
        selection_.advanced.push_back({.first_dim = dim_ - 1, .index = zeros(count, kInt32)});
    }

    void take(const Tensor& tensor) {
        const TensorImpl& impl = impl_of(tensor);
        if (impl.dtype == kBool) {
            take_mask(tensor);
        } else if (impl.dtype != kInt32) {
            throw DTypeError(
                "index", fmt::format("tensors must be int32 or bool; got {}", describe(tensor)));
        } else if (impl.sizes.empty()) {
            take(tensor.item<std::int64_t>());
        } else {
            selection_.advanced.push_back({.first_dim = dim_, .index = tensor});
            ++dim_;
        }
    }

    void take_mask(const Tensor& mask) {
        const Dims& sizes = impl_of(mask).sizes;
        if (sizes.empty()) {
            take(mask.item() != 0.0);
            return;
        }
        for (std::int64_t d = 0; d < sizes.count(); ++d) {
            if (sizes[d] != impl_of(selection_.view).sizes[dim_ + d]) {
                throw ShapeError("index",
                                 fmt::format("the mask must have the extents it stands for; got "
                                             "mask {} at dimension {} of {}",
                                             describe(mask),
                                             dim_,
                                             describe(selection_.view)));
            }
        }
        selection_.advanced.push_back(
            {.first_dim = dim_, .dim_count = sizes.count(), .index = mask, .is_mask = true});
        dim_ += sizes.count();
    }

    Selection selection_;
    std::int64_t dim_ = 0;
    std::int64_t unnamed_ = 0;
};

Selection select_of(const Tensor& x, std::span<const TensorIndex> indices) {
    return Walker(x, indices).walk(indices);
}

// Places of true values in row-major order. Waits for the device.
std::vector<std::int32_t> true_places(const Tensor& mask) {
    const HostTensor host = mask.to_host();
    std::vector<std::int32_t> places;
    for (std::size_t i = 0; i < host.bytes.size(); ++i) {
        if (host.bytes[i] != std::byte{0}) {
            places.push_back(static_cast<std::int32_t>(i));
        }
    }
    return places;
}

// The view with all indexed dimensions as one, `dim`, and the index into that one.
struct Rows {
    Tensor view;
    std::int64_t dim = 0;
    Tensor index;
    Dims permuted;     ///< sizes of the view before dimensions became one
    Dims permutation;  ///< of the view's dimensions before that; empty for none
};

bool is_adjacent(const std::vector<Advanced>& advanced) {
    for (std::size_t i = 1; i < advanced.size(); ++i) {
        const Advanced& before = advanced[i - 1];
        if (before.first_dim + before.dim_count != advanced[i].first_dim) {
            return false;
        }
    }
    return true;
}

// Indexed dimensions first, the others behind them.
Dims indexed_first(const std::vector<Advanced>& advanced, std::int64_t dim_count) {
    Dims order;
    std::array<bool, kMaxDims> is_indexed{};
    for (const Advanced& each : advanced) {
        for (std::int64_t d = each.first_dim; d < each.first_dim + each.dim_count; ++d) {
            order.push_back(d);
            is_indexed[static_cast<std::size_t>(d)] = true;
        }
    }
    for (std::int64_t d = 0; d < dim_count; ++d) {
        if (!is_indexed[static_cast<std::size_t>(d)]) {
            order.push_back(d);
        }
    }
    return order;
}

// Row-major places of the tensors' positions; -1 where one is outside of its dimension.
Tensor joined(const std::vector<Advanced>& advanced,
              const std::vector<std::int64_t>& extents,
              IndexUser user) {
    Tensor places;
    Tensor is_outside;
    for (std::size_t i = 0; i < advanced.size(); ++i) {
        const std::int64_t extent = extents[i];
        Tensor positions = advanced[i].is_mask ? advanced[i].index
                                               : ops::places_of(user, advanced[i].index, extent);
        if (advanced.size() == 1) {
            return positions;
        }
        const Tensor outside = lt(positions, 0);
        places = i == 0 ? positions : add(mul(places, extent), positions);
        is_outside = i == 0 ? outside : logical_or(is_outside, outside);
    }
    return masked_fill(places, is_outside, -1);
}

Rows rows_of(Selection selection, IndexUser user) {
    std::vector<Advanced>& advanced = selection.advanced;
    Rows rows;
    rows.view = std::move(selection.view);
    rows.dim = advanced[0].first_dim;
    if (!is_adjacent(advanced)) {
        rows.permutation = indexed_first(advanced, rows.view.dim());
        rows.view = permute(rows.view, rows.permutation);
        rows.dim = 0;
    }
    rows.permuted = rows.view.sizes();
    std::vector<std::int64_t> extents;
    std::vector<Tensor> indices;
    std::int64_t next = rows.dim;
    for (Advanced& each : advanced) {
        std::int64_t extent = 1;
        for (std::int64_t d = 0; d < each.dim_count; ++d) {
            extent *= rows.permuted[next++];
        }
        extents.push_back(extent);
        if (each.is_mask) {
            each.index = tensor(true_places(each.index));
        }
        indices.push_back(each.index);
    }
    if (!ops::common_sizes(indices)) {
        std::string shapes;
        for (const Tensor& index : indices) {
            shapes += (shapes.empty() ? "" : ", ") + to_string(index.sizes());
        }
        throw ShapeError(
            "index",
            fmt::format("the shapes of index tensors must broadcast; got, in order, {}", shapes));
    }
    rows.index = joined(advanced, extents, user);
    if (next - rows.dim > 1) {
        Dims merged = rows.permuted;
        std::int64_t extent = merged[rows.dim];
        for (std::int64_t d = rows.dim + 1; d < next; ++d) {
            extent *= merged[rows.dim + 1];
            merged.erase(rows.dim + 1);
        }
        merged[rows.dim] = extent;
        rows.view = reshape(rows.view, merged);
    }
    return rows;
}

// Shape of what the index gives.
Dims taken_sizes(const Rows& rows) {
    Dims sizes;
    for (std::int64_t d = 0; d < rows.view.dim(); ++d) {
        if (d != rows.dim) {
            sizes.push_back(rows.view.size(d));
            continue;
        }
        for (const std::int64_t extent : rows.index.sizes()) {
            sizes.push_back(extent);
        }
    }
    return sizes;
}

// Values as wide as the target; leading extents of 1 that it has no dimension for go away.
Tensor expanded(Tensor values, const Dims& sizes) {
    while (values.dim() > sizes.count() && values.size(0) == 1) {
        values = select(values, 0, 0);
    }
    return expand(values, sizes);
}

// The view with the values in place of the rows, or added to them.
Tensor with_rows(Rows rows, const Tensor& values, bool accumulate) {
    Dims sizes = rows.view.sizes();
    sizes[rows.dim] = rows.index.numel();
    const Tensor source = reshape(expanded(values, taken_sizes(rows)), sizes);
    const Tensor places = reshape(rows.index, {rows.index.numel()});
    const Tensor written = accumulate ? ops::add_rows(rows.view, rows.dim, places, source)
                                      : ops::replace_rows(rows.view, rows.dim, places, source);
    Tensor permuted = reshape(written, rows.permuted);
    if (rows.permutation.empty()) {
        return permuted;
    }
    Dims inverse = rows.permutation;
    for (std::int64_t d = 0; d < inverse.count(); ++d) {
        inverse[rows.permutation[d]] = d;
    }
    return permute(permuted, inverse);
}

// One value where the mask is true, for which the host need not know how many there are.
Tensor with_value(const Tensor& view, const Advanced& mask, const Tensor& value) {
    Dims sizes = mask.index.sizes();
    while (sizes.count() + mask.first_dim < view.dim()) {
        sizes.push_back(1);
    }
    return where(reshape(mask.index, sizes), reshape(value, {}), view);
}

void put(Tensor& self,
         std::span<const TensorIndex> indices,
         const Tensor& values,
         bool accumulate) try {
    if (checked_impl(self, "index_put_").dtype != checked_impl(values, "index_put_").dtype) {
        throw DTypeError("index_put_",
                         fmt::format("values must have the tensor's dtype; got values {} for {}",
                                     describe(values),
                                     describe(self)));
    }
    Selection selection = select_of(self, indices);
    Tensor view = selection.view;
    const std::vector<Advanced>& advanced = selection.advanced;
    if (advanced.empty()) {
        const Tensor wide = expanded(values, view.sizes());
        accumulate ? add_(view, wide) : copy_(view, wide);
    } else if (advanced.size() == 1 && advanced[0].is_mask && values.numel() == 1 && !accumulate) {
        copy_(view, with_value(view, advanced[0], values));
    } else {
        copy_(view,
              with_rows(rows_of(std::move(selection), IndexUser::kIndexPut), values, accumulate));
    }

} catch (const Error&) {
    rethrow_under("index_put_");
}

Tensor get(const Tensor& self, std::span<const TensorIndex> indices) try {
    Selection selection = select_of(self, indices);
    if (selection.advanced.empty()) {
        return selection.view.is_same(self) ? alias(self) : selection.view;
    }
    Rows rows = rows_of(std::move(selection), IndexUser::kIndex);
    return ops::take_in_place_of(std::move(rows.view), rows.dim, std::move(rows.index));

} catch (const Error&) {
    rethrow_under("index");
}

Tensor as_values(const Tensor& self, const Scalar& value) try {
    return scalar_tensor(value, checked_impl(self, "index_put_").dtype);

} catch (const Error&) {
    rethrow_under("index_put_");
}

}  // namespace

namespace indexing {

TensorIndex::TensorIndex(const char* text) : value_(Ellipsis) {
    if (std::strcmp(text, "...") != 0) {
        throw ArgumentError("index", fmt::format("the only text is '...'; got '{}'", text));
    }
}

}  // namespace indexing

Tensor Tensor::index(std::initializer_list<TensorIndex> indices) const {
    return get(*this, {indices.begin(), indices.size()});
}

Tensor Tensor::index(const std::vector<TensorIndex>& indices) const {
    return get(*this, indices);
}

Tensor Tensor::operator[](const Tensor& index) const {
    const TensorIndex only = index;
    return get(*this, {&only, 1});
}

Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> indices,
                           const Tensor& values,
                           bool accumulate) {
    put(*this, {indices.begin(), indices.size()}, values, accumulate);
    return *this;
}

Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> indices,
                           const Scalar& value,
                           bool accumulate) {
    put(*this, {indices.begin(), indices.size()}, as_values(*this, value), accumulate);
    return *this;
}

Tensor& Tensor::index_put_(const std::vector<TensorIndex>& indices,
                           const Tensor& values,
                           bool accumulate) {
    put(*this, indices, values, accumulate);
    return *this;
}

Tensor& Tensor::index_put_(const std::vector<TensorIndex>& indices,
                           const Scalar& value,
                           bool accumulate) {
    put(*this, indices, as_values(*this, value), accumulate);
    return *this;
}

Tensor masked_select(const Tensor& x, const Tensor& mask) try {
    checked_impl(x, "masked_select");
    if (checked_impl(mask, "masked_select").dtype != kBool) {
        throw DTypeError("masked_select",
                         fmt::format("the mask must be bool; got {}", describe(mask)));
    }
    const std::array<Tensor, 2> both = {x, mask};
    const std::optional<Dims> common = ops::common_sizes(both);
    if (!common) {
        throw ShapeError("masked_select",
                         fmt::format("the mask must broadcast with x; got {}",
                                     listed({{"x", describe(x)}, {"mask", describe(mask)}})));
    }
    const Dims sizes = common->empty() ? Dims{1} : *common;
    return expand(x, sizes).index({expand(mask, sizes)});

} catch (const Error&) {
    rethrow_under("masked_select");
}

Tensor nonzero(const Tensor& x) try {
    const Dims& sizes = checked_impl(x, "nonzero").sizes;
    const std::vector<std::int32_t> places = true_places(to(x, kBool));
    const std::int64_t dim_count = sizes.count();
    std::vector<std::int32_t> rows(places.size() * static_cast<std::size_t>(dim_count));
    for (std::size_t i = 0; i < places.size(); ++i) {
        std::int64_t left = places[i];
        for (std::int64_t d = dim_count; d-- > 0;) {
            rows[i * static_cast<std::size_t>(dim_count) + static_cast<std::size_t>(d)] =
                static_cast<std::int32_t>(left % sizes[d]);
            left /= sizes[d];
        }
    }
    return from_values(std::span<const std::int32_t>(rows),
                       {static_cast<std::int64_t>(places.size()), dim_count},
                       kInt32);

} catch (const Error&) {
    rethrow_under("nonzero");
}

}  // namespace pumice
