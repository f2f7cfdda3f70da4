// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "memory/scoped_environment.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <cstdint>

using namespace pumice;
using test::check_throws;
using test::ScopedEnvironment;

TEST_CASE("host: values of every type go there and back, staged or mapped") {
    for (const char* staging : {"", "force"}) {
        const ScopedEnvironment scope("PUMICE_STAGING", staging);
        CHECK(tensor<float>({1.5F, -2}).to_vector<float>() == std::vector<float>{1.5F, -2});
        CHECK(tensor<std::int8_t>({-1, 2, 3}).to_vector<int>() == std::vector<int>{-1, 2, 3});
        CHECK(tensor<std::uint8_t>({255, 2, 3, 4, 5}).to_vector<int>()[0] == 255);
        CHECK(tensor<bool>({true, false, true}).to_vector<bool>() ==
              std::vector<bool>{true, false, true});
        CHECK(tensor<double>({0.1, 1e-3}).dtype() == kFloat32);
        CHECK(tensor<std::int64_t>({7, -7}).dtype() == kInt32);
        CHECK(tensor<float>({1, 2, 3}, kFloat16).dtype() == kFloat16);
        CHECK(tensor<float>(std::vector<float>{}).numel() == 0);
    }
}

TEST_CASE("host: strided and offset views are read in their order") {
    const Tensor x = tensor<std::uint8_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(x.slice(0, 5).to_vector<int>() == std::vector<int>{5, 6, 7, 8, 9, 10, 11});
    CHECK(x.view({3, 4}).t().to_vector<int>() ==
          std::vector<int>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
    CHECK(x.view({3, 4}).select(0, 2).slice(0, 1).to_vector<int>() == std::vector<int>{9, 10, 11});
    CHECK(expand(tensor<float>({4}), {3}).to_vector<float>() == std::vector<float>{4, 4, 4});
}

TEST_CASE("host: reading records nothing, in any mode") {
    const Tensor x = tensor<float>({1, 2}, TensorOptions(kFloat32, true)).view({2, 1});
    const auto nodes = debug::counters().nodes;
    CHECK(expand(x.detach(), {2, 2}).to_vector<float>() == std::vector<float>{1, 1, 2, 2});
    const Tensor y = mul(x, x);
    const auto before = debug::counters().nodes;
    CHECK(y.t().detach().to_vector<float>() == std::vector<float>{1, 4});
    y.to_host_async().get();
    CHECK(debug::counters().nodes == before + 1);  // the transpose, which the test called
    CHECK(nodes <= before);
}

TEST_CASE("host: an asynchronous copy has the values of its time") {
    for (const char* staging : {"", "force"}) {
        const ScopedEnvironment scope("PUMICE_STAGING", staging);
        Tensor x = arange(1000);
        Future<HostTensor> before = x.to_host_async();
        x.fill_(-1);
        Future<HostTensor> after = x.to_host_async();
        x.reset();
        CHECK(before.is_valid());
        CHECK(before.get().values<int>()[999] == 999);
        CHECK(after.get().values<int>()[999] == -1);
        CHECK_FALSE(before.is_valid());
        Future<HostTensor> dropped = arange(5).to_host_async();
    }
    CHECK(zeros({0, 3}).to_host_async().get().sizes == Dims{0, 3});
    CHECK(zeros({0, 3}).to_host_async().is_ready());
}

TEST_CASE("host: data_ptr reads and writes the device's own memory") {
    // What stood there before is done with, whoever wrote it last.
    for (int i = 0; i < 3; ++i) {
        Tensor x = mul(ones({1000}), i);
        float* const values = x.data_ptr<float>();
        CHECK(values[999] == static_cast<float>(i));
        values[7] = 5.0F;
        CHECK(add(x, 1).to_vector<float>()[7] == 6.0F);
        CHECK(x._version() == 0);
        x.add_(1);
        CHECK(x.data_ptr<float>()[7] == 6.0F);
    }
    const Tensor bytes = tensor<std::uint8_t>({0, 1, 2, 3, 4, 5, 6});
    CHECK(bytes.slice(0, 3).data_ptr<const std::uint8_t>()[2] == 5);
    CHECK(tensor<bool>({false, true}).data_ptr<bool>()[1]);
    CHECK(zeros({0}).data_ptr<float>() == nullptr);
    check_throws<DTypeError>([&] { bytes.data_ptr<float>(); }, "[data_ptr]");
    check_throws<DTypeError>([] { zeros({1}).data_ptr<double>(); }, "got [1] float32");
    check_throws<ShapeError>(
        [] {
            ones({2, 3}).t().data_ptr<float>();
        },
        "[data_ptr] the tensor must be contiguous; got [3, 2] float32 with strides [1, 3]");
    const ScopedEnvironment scope("PUMICE_STAGING", "force");
    check_throws<UnsupportedError>([] { ones({2}).data_ptr<float>(); }, "[data_ptr]");
}

TEST_CASE("host: item") {
    CHECK(scalar_tensor(2.5).item() == 2.5);
    CHECK(tensor<std::int32_t>({7}).item<int>() == 7);
    CHECK(tensor<std::int32_t>({7}).item().is_integral());
    CHECK(tensor<float>({7}).item().is_floating_point());
    CHECK(tensor<bool>({true}).item().is_bool());
    CHECK(tensor<float>({1, 2}).select(0, 1).item<float>() == 2.0F);
    check_throws<ShapeError>(
        [] {
            tensor<float>({1, 2}).item();
        },
        "[item] the tensor must have one element; got [2] float32");
}

TEST_CASE("host: from_bytes checks shape and values") {
    const std::vector<std::int64_t> values = {1, 3000000000LL};
    check_throws<DTypeError>([&] { tensor(values); },
                             "element 1 is 3000000000, which int32 cannot hold");
    check_throws<ShapeError>(
        [&] { from_values(std::span<const std::int64_t>(values), {3}, kInt32); },
        "[from_values] shape [3] needs 24 bytes; got 16");
    check_throws<ShapeError>(
        [&] { from_values(std::span<const std::int64_t>(values), {-2}, kInt32); },
        "[from_values] extents must not be negative");
    const std::vector<std::uint8_t> odd = {2, 0};
    CHECK(from_bytes(std::as_bytes(std::span(odd)), HostDType::kBoolean, {2}, kBool)
              .to_host()
              .bytes == std::vector<std::byte>{std::byte{1}, std::byte{0}});
}
