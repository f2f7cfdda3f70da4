// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "tensor/tensor_impl.h"

#include <doctest/doctest.h>

using namespace pumice;
using test::check_gradients;
using test::check_modes;
using test::check_throws;
using test::random_tensor;
using Inputs = std::vector<Tensor>;

namespace {

bool shares_storage(const Tensor& a, const Tensor& b) {
    return impl_of(a).storage == impl_of(b).storage;
}

}  // namespace

TEST_CASE("view: same storage, new shape") {
    const Tensor x = arange(24);
    const Tensor y = x.view({2, -1, 4});
    CHECK(y.sizes() == Dims{2, 3, 4});
    CHECK(y.strides() == Dims{12, 4, 1});
    CHECK(shares_storage(x, y));
    CHECK(y.is_view());
    CHECK(y.to_vector<int>() == x.to_vector<int>());
    CHECK(x.view({24, 1, 1}).strides() == Dims{1, 1, 1});
    CHECK(zeros({0, 3}).view({3, 0, 2}).sizes() == Dims{3, 0, 2});
    CHECK(scalar_tensor(5).view({1, 1}).item() == 5.0);
    CHECK(view_as(x, y).sizes() == y.sizes());
}

TEST_CASE("view: strided tensors where the strides allow it") {
    const Tensor x = arange(48).view({4, 2, 6}).slice(2, 0, 3);
    const Tensor y = x.view({8, 3});
    CHECK(y.strides() == Dims{6, 1});
    CHECK(y.to_vector<int>() == x.to_vector<int>());
    CHECK(x.view({2, 2, 2, 3}).strides() == Dims{24, 12, 6, 1});
    CHECK(arange(6).view({2, 3}).t().view({3, 2, 1}).to_vector<int>() ==
          std::vector<int>{0, 3, 1, 4, 2, 5});
    CHECK(scalar_tensor(1).expand({4}).view({2, 2}).strides() == Dims{0, 0});
}

TEST_CASE("view: errors") {
    const Tensor x = arange(6).view({2, 3});
    check_throws<ShapeError>(
        [&] { x.view({4}); },
        "[view] shape must have as many elements as x, 6; got [4] for x [2, 3]");
    check_throws<ShapeError>([&] { x.view({4, -1}); }, "[view] shape must have");
    check_throws<ShapeError>([&] { x.view({-1, -1}); }, "[view] extents must not be negative");
    check_throws<ShapeError>([&] { x.t().view({6}); }, "use reshape");
    check_throws<ShapeError>([&] { zeros({0}).view({0, -1}); }, "[view] shape must have");
}

TEST_CASE("reshape: views where it can, copies where it must") {
    const Tensor x = arange(6).view({2, 3});
    CHECK(shares_storage(reshape(x, {3, 2}), x));
    const Tensor copied = reshape(x.t(), {6});
    CHECK_FALSE(shares_storage(copied, x));
    CHECK(copied.to_vector<int>() == std::vector<int>{0, 3, 1, 4, 2, 5});
    check_throws<ShapeError>([&] { reshape(x, {4}); }, "[reshape] shape must have");
}

TEST_CASE("flatten: merges a range of dimensions") {
    const Tensor x = zeros({2, 3, 4, 5});
    CHECK(flatten(x).sizes() == Dims{120});
    CHECK(flatten(x, 1, 2).sizes() == Dims{2, 12, 5});
    CHECK(flatten(x, -2).sizes() == Dims{2, 3, 20});
    CHECK(flatten(scalar_tensor(1)).sizes() == Dims{1});
    check_throws<ArgumentError>([&] { flatten(x, 2, 1); }, "[flatten] start_dim");
}

TEST_CASE("squeeze and unsqueeze") {
    const Tensor x = zeros({2, 1, 3});
    CHECK(squeeze(x, 1).sizes() == Dims{2, 3});
    CHECK(squeeze(x, 0).sizes() == Dims{2, 1, 3});
    CHECK(unsqueeze(x, 0).sizes() == Dims{1, 2, 1, 3});
    CHECK(unsqueeze(x, -1).strides() == Dims{3, 3, 1, 1});
    CHECK(squeeze(scalar_tensor(1), 0).sizes() == Dims{});
    CHECK(unsqueeze(scalar_tensor(1), 0).sizes() == Dims{1});
    check_throws<ArgumentError>([&] { squeeze(x, 3); }, "[squeeze] dim must be in [-3, 3); got 3");
    check_throws<ArgumentError>([&] { unsqueeze(x, 4); },
                                "[unsqueeze] dim must be in [-4, 4); got 4");
    check_throws<ShapeError>(
        [] {
            unsqueeze(zeros({1, 1, 1, 1, 1, 1, 1, 1}), 0);
        },
        "at most 8 dimensions");
}

TEST_CASE("view: writes through a view reach the base, and share its version") {
    Tensor x = zeros({2, 2});
    Tensor y = x.view({4});
    y.fill_(2);
    CHECK(x.to_vector<float>() == std::vector<float>(4, 2.0F));
    CHECK(x._version() == 1);
    CHECK(y._version() == 1);
}

TEST_CASE("view: a view has the kind of its base, G22") {
    const Tensor normal = zeros({2, 2});
    const Tensor transient = inference_mode([] { return zeros({2, 2}); });
    CHECK_FALSE(inference_mode([&] { return normal.view({4}); }).is_inference());
    CHECK(transient.view({4}).is_inference());
    CHECK_FALSE(transient.view({4}).is_view());
}

TEST_CASE("view: gradients and modes") {
    const auto twist = [](const Inputs& in) {
        const Tensor y = unsqueeze(in[0].view({3, 4}), 1);
        return mul(squeeze(reshape(alias(y), {2, 1, 6}), 1), in[0].view({2, 6}));
    };
    const Tensor x = random_tensor({2, 6});
    check_modes(twist, {x});
    check_gradients(twist, {x});
    check_gradients([](const Inputs& in) { return flatten(in[0].t()); }, {x});
}

TEST_CASE("view, reshape: shapes whose element count is past int64") {
    constexpr std::int64_t kFar = std::int64_t{1} << 62;
    const Tensor x = arange(4);
    // Modulo 2^64 this has four elements.
    check_throws<ShapeError>(
        [&] {
            view(x, {kFar + 1, 4});
        },
        "[view] shape must have as many elements as x, 4; got "
        "[4611686018427387905, 4]");
    check_throws<ShapeError>([&] { reshape(x, {kFar + 1, 4}); }, "[reshape] shape must have");
    check_throws<ShapeError>([&] { view(x, {kFar + 1, 4, -1}); }, "[view] shape must have");
}
