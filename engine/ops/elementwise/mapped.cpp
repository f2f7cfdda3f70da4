// SPDX-License-Identifier: Apache-2.0
#include "ops/elementwise/mapped.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "dispatch/corridor.h"
#include "geometry/map_walk.h"
#include "ops/factory/factory.h"

#include <fmt/format.h>

namespace pumice::ops {

namespace {

// Whether the bytes from first to last element of two tensors of one storage overlap.
bool ranges_meet(const TensorImpl& a, const TensorImpl& b) {
    const auto start = [](const TensorImpl& x) { return x.offset * itemsize(x.dtype); };
    const auto end = [&start](const TensorImpl& x) {
        return start(x) + hull_elements(x.sizes, x.strides) * itemsize(x.dtype);
    };
    return start(a) < end(b) && start(b) < end(a);
}

bool shares_memory(const TensorImpl& a, const TensorImpl& b) {
    return a.storage && a.storage == b.storage && ranges_meet(a, b);
}

bool is_same_view(const TensorImpl& a, const TensorImpl& b) {
    return a.offset == b.offset && a.dtype == b.dtype && a.sizes == b.sizes &&
           a.strides == b.strides;
}

void check_target(std::string_view op, const Tensor& target) {
    const TensorImpl& out = impl_of(target);
    check_element_count(op, target);
    if (overlaps_itself(out)) {
        throw ArgumentError(op,
                            fmt::format("the written tensor {} has several elements in one place "
                                        "(strides {}), and which of their values would stay is not "
                                        "defined; clone() it first",
                                        describe(target),
                                        to_string(out.strides)));
    }
}

}  // namespace

void make_mappable(std::span<Tensor> inputs, const Tensor* target) {
    bool is_small = true;
    for (const Tensor& input : inputs) {
        is_small = is_small && impl_of(input).sizes.count() <= kMostMapDims;
    }
    if (is_small) {
        return;
    }
    const std::optional<Dims> sizes = common_sizes(inputs);
    if (!sizes || fits_map(*sizes, inputs, target)) {
        return;
    }
    for (Tensor& input : inputs) {
        input = contiguous(expand(input, *sizes));
    }
}

void make_disjoint(std::string_view op, const Tensor& target, std::span<Tensor> inputs) {
    check_target(op, target);
    const TensorImpl& out = impl_of(target);
    for (Tensor& input : inputs) {
        const TensorImpl& in = impl_of(input);
        if (shares_memory(in, out) && !is_same_view(in, out)) {
            input = clone(input);
        }
    }
}

void make_separate(std::string_view op, const Tensor& target, std::span<Tensor> inputs) {
    check_target(op, target);
    for (Tensor& input : inputs) {
        check_element_count(op, input);
        if (shares_memory(impl_of(input), impl_of(target))) {
            input = clone(input);
        }
    }
}

void write_mapped(const dispatch::OpDef& def,
                  Tensor& self,
                  std::span<Tensor> inputs,
                  dispatch::AttrsRef attrs) {
    make_disjoint(def.where(), self, inputs);
    if (fits_map(self.sizes(), inputs, &self)) {
        dispatch::call_in_place(def, inputs, attrs);
        return;
    }
    // The result is copied to its target, and a copy would convert whatever it gets.
    const dispatch::OpCall result_call{def, inputs, attrs};
    dispatch::Inferred inferred;
    def.infer(result_call, inferred);
    dispatch::check_target(result_call, self, inferred[0], true);
    for (Tensor& input : inputs) {
        input = contiguous(expand(input, self.sizes()));
    }
    copy_(self, dispatch::call(def, inputs, attrs));
}

void write_mapped_out(const dispatch::OpDef& def,
                      Tensor& out,
                      std::span<Tensor> inputs,
                      dispatch::AttrsRef attrs) {
    make_mappable(inputs, &out);
    make_disjoint(def.where(), out, inputs);
    // Another shape than the result's is call_out's to refuse.
    if (!fits_map(out.sizes(), inputs, &out) && common_sizes(inputs) == out.sizes()) {
        throw UnsupportedError(def.where(),
                               fmt::format("out's dimensions must collapse to {}; got out {} with "
                                           "strides {}",
                                           kMostMapDims,
                                           describe(out),
                                           to_string(out.strides())));
    }
    dispatch::call_out(def, out, inputs, attrs);
}

}  // namespace pumice::ops
