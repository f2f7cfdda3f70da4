// SPDX-License-Identifier: Apache-2.0
#include "tensor/tensor_impl.h"

#include "pumice/pumice.h"

#include <doctest/doctest.h>

#include <set>
#include <vector>

namespace pumice {

namespace {

bool overlaps(const Dims& sizes, const Dims& strides) {
    const Tensor symbolic = make_symbolic(sizes, kFloat32);
    TensorImpl& impl = impl_of(symbolic);
    impl.strides = strides;
    impl.is_contiguous = strides_are_contiguous(sizes, strides);
    return overlaps_itself(impl);
}

bool names_one_twice(const Dims& sizes, const Dims& strides) {
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < numel(sizes); ++i) {
        std::int64_t rest = i;
        std::int64_t at = 0;
        for (std::int64_t d = sizes.count() - 1; d >= 0; --d) {
            at += rest % sizes[d] * strides[d];
            rest /= sizes[d];
        }
        if (!seen.insert(at).second) {
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("overlaps_itself: agrees with counting, for all small geometries") {
    int overlapping = 0;
    for (std::int64_t code = 0; code < 4 * 4 * 4 * 9 * 9 * 9; ++code) {
        const Dims sizes = {code % 4, code / 4 % 4, code / 16 % 4};
        const Dims strides = {code / 64 % 9, code / 576 % 9, code / 5184};
        const bool wanted = names_one_twice(sizes, strides);
        if (overlaps(sizes, strides) != wanted) {
            CAPTURE(to_string(sizes));
            CAPTURE(to_string(strides));
            CHECK(overlaps(sizes, strides) == wanted);
        }
        overlapping += wanted ? 1 : 0;
    }
    CHECK(overlapping > 1000);
}

TEST_CASE("overlaps_itself: large extents take no time") {
    CHECK(!overlaps({1 << 15, 1 << 15}, {1, 1 << 15}));
    CHECK(overlaps({1 << 15, 1 << 15}, {1, (1 << 15) - 1}));
    CHECK(overlaps({1 << 30, 2}, {1, 0}));
    CHECK(!overlaps({2, 1 << 30}, {1, 2}));
    CHECK(!overlaps({1 << 20, 2}, {2, 3}));
}

TEST_CASE("a tensor without elements is contiguous, whatever its strides") {
    const Tensor none = randn({2, 3, 4, 5}).select(3, 1).slice(1, 1, 1);
    CHECK(none.sizes() == Dims{2, 0, 4});
    CHECK(none.is_contiguous());
    CHECK(none.view({0}).sizes() == Dims{0});
    CHECK(none.view({4, 0, 7}).numel() == 0);
    CHECK(zeros({3, 0}).t().is_contiguous());
}

}  // namespace pumice
