// SPDX-License-Identifier: Apache-2.0
#include "pumice/tensor.h"

#include "pumice/pumice.h"

#include "support/harness.h"
#include "tensor/tensor_impl.h"

#include <doctest/doctest.h>

using namespace pumice;
using test::check_throws;

TEST_CASE("tensor: geometry of a new tensor") {
    const Tensor x = zeros({2, 3, 4}, kFloat16);
    CHECK(x.defined());
    CHECK(x.sizes() == Dims{2, 3, 4});
    CHECK(x.strides() == Dims{12, 4, 1});
    CHECK(x.storage_offset() == 0);
    CHECK(x.size(-1) == 4);
    CHECK(x.stride(0) == 12);
    CHECK(x.dim() == 3);
    CHECK(x.numel() == 24);
    CHECK(x.nbytes() == 48);
    CHECK(x.dtype() == kFloat16);
    CHECK(x.is_contiguous());
    CHECK(x.is_floating_point());
    CHECK(x.is_same(x));
    CHECK_FALSE(x.is_same(alias(x)));
}

TEST_CASE("tensor: what an undefined handle refuses") {
    const Tensor nothing;
    CHECK_FALSE(nothing.defined());
    CHECK(nothing.use_count() == 0);
    check_throws<ArgumentError>([&] { nothing.sizes(); }, "[sizes] got an undefined tensor");
    check_throws<ArgumentError>([&] { nothing.dtype(); }, "[dtype]");
    check_throws<ArgumentError>([&] { nothing.to_host(); }, "[to_host]");
    check_throws<ArgumentError>([&] { nothing.view({1}); }, "[view]");
    check_throws<ArgumentError>([&] { nothing.detach(); }, "[detach]");
}

TEST_CASE("tensor: dimensions outside the range") {
    const Tensor x = zeros({2, 3});
    check_throws<ArgumentError>([&] { x.size(2); }, "[size] dim must be in [-2, 2); got 2");
    check_throws<ArgumentError>([&] { x.stride(-3); }, "[stride] dim must be in [-2, 2); got -3");
    check_throws<ArgumentError>([] { scalar_tensor(1).size(0); }, "[size]");
}

TEST_CASE("tensor: kind and version, G20 G34") {
    const Tensor normal = zeros({2});
    CHECK_FALSE(normal.is_inference());
    CHECK(normal._version() == 0);
    const InferenceMode guard;
    const Tensor transient = zeros({2});
    CHECK(transient.is_inference());
    check_throws<GradModeError>([&] { transient._version(); },
                                "Inference tensors do not track version counter.");
}

TEST_CASE("tensor: detach shares the version counter, data has its own, G39") {
    Tensor x = zeros({2});
    const Tensor detached = x.detach();
    const Tensor data = x.data();
    x.fill_(3);
    CHECK(x._version() == 1);
    CHECK(detached._version() == 1);
    CHECK(data._version() == 0);
    CHECK_FALSE(detached.requires_grad());
    CHECK_FALSE(detached.is_inference());
    CHECK(detached.to_vector<float>() == std::vector<float>{3.0F, 3.0F});
    CHECK(data.to_vector<float>() == std::vector<float>{3.0F, 3.0F});
}

TEST_CASE("tensor: detach and data keep the inference kind, G39") {
    const Tensor x = inference_mode([] { return zeros({2}); });
    CHECK(x.detach().is_inference());
    CHECK(x.data().is_inference());
}

TEST_CASE("tensor: persist moves an inference tensor, kind and values stay, G70") {
    const InferenceMode guard;
    Tensor x = arange(1000);
    const Tensor part = x.slice(0, 10, 12);
    REQUIRE(impl_of(x).storage->is_transient());
    x.persist();
    CHECK_FALSE(impl_of(x).storage->is_transient());
    CHECK(x.is_inference());
    CHECK(x.slice(0, 998).to_vector<int>() == std::vector<int>{998, 999});
    CHECK(part.to_vector<int>() == std::vector<int>{10, 11});
    x.persist();
    CHECK(x.slice(0, 0, 1).item() == 0.0);
}
