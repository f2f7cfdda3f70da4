// SPDX-License-Identifier: Apache-2.0
// No step of any operator loops longer in one invocation than it may, on devices of all kinds. The
// calls are planned, not run, so that the sizes may be larger than the machine.
#include "dispatch/iterations.h"

#include "pumice/error.h"
#include "pumice/ops.h"

#include "dispatch/execute.h"
#include "dispatch/observer.h"
#include "dispatch/state.h"
#include "support/harness.h"
#include "tensor/storage.h"
#include "tensor/tensor_impl.h"
#include "vk/kernels/matmul_sum_splits.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace pumice {
namespace {

using Inputs = std::vector<Tensor>;

constexpr std::uint64_t kMiB = 1U << 20U;

constexpr std::uint32_t bit(vk::KernelFeature feature) noexcept {
    return static_cast<std::uint32_t>(feature);
}

struct DeviceKind {
    std::string name;
    vk::Capabilities caps;
};

std::vector<DeviceKind> device_kinds() {
    vk::Capabilities lavapipe{
        .storage_alignment_bytes = 16,
        .max_storage_range_bytes = 128 * kMiB,
        .max_group_invocations = 1024,
        .subgroup_size = 8,
        .features = bit(vk::KernelFeature::kSubgroupShuffle) | bit(vk::KernelFeature::kInt64),
        .is_cpu = true};
    vk::Capabilities wide = lavapipe;
    wide.max_storage_range_bytes = 65536 * kMiB;  // so that nothing is cut for its size
    vk::Capabilities swiftshader{.max_storage_range_bytes = 1024 * kMiB,
                                 .max_group_invocations = 256,
                                 .subgroup_size = 4,
                                 .features = bit(vk::KernelFeature::kSubgroupShuffle),
                                 .is_cpu = true};
    vk::Capabilities no_shuffle = swiftshader;
    no_shuffle.features = 0;
    no_shuffle.max_storage_range_bytes = 65536 * kMiB;
    vk::Capabilities gpu{
        .storage_alignment_bytes = 16,
        .max_storage_range_bytes = 4096 * kMiB - 4,
        .max_group_invocations = 1024,
        .max_shared_memory_bytes = 49152,
        .subgroup_size = 32,
        .features = bit(vk::KernelFeature::kSubgroupShuffle) | bit(vk::KernelFeature::kInt64)};
    vk::Capabilities phone{.max_storage_range_bytes = 65536 * kMiB};  // else the floor
    return {{"lavapipe", lavapipe},
            {"lavapipe without a limit", wide},
            {"SwiftShader", swiftshader},
            {"SwiftShader without shuffles", no_shuffle},
            {"GPU", gpu},
            {"the least GPU", phone}};
}

Tensor placeholder(const Dims& sizes, DType dtype = kFloat32) {
    auto impl = IntrusivePtr<TensorImpl>::make();
    const std::int64_t count = numel(sizes);
    impl->storage = make_placeholder(static_cast<std::uint64_t>(count * itemsize(dtype)));
    impl->sizes = sizes;
    impl->strides = contiguous_strides(sizes);
    impl->numel = count;
    impl->dtype = dtype;
    impl->version = IntrusivePtr<VersionCounter>::make();
    return Tensor{IntrusivePtr<RefCounted>(std::move(impl))};
}

// Plans each call for all kinds of devices instead of running it.
class Planner final : public dispatch::Capturer {
public:
    Planner() { dispatch::thread_state.capturer = this; }

    Planner(const Planner&) = delete;
    Planner& operator=(const Planner&) = delete;
    Planner(Planner&&) = delete;
    Planner& operator=(Planner&&) = delete;

    ~Planner() override { dispatch::thread_state.capturer = nullptr; }

    void check(const dispatch::OpCall& /*call*/) override {}

    void append(const dispatch::OpCall& call, std::span<const Tensor> outputs) override {
        for (const DeviceKind& kind : kinds_) {
            INFO(call.def.name, " on ", kind.name);
            try {
                dispatch::lower(call, outputs, kind.caps, [this](const dispatch::BoundStep& bound) {
                    const double passes = dispatch::iterations_of(bound.step);
                    CHECK(passes <= vk::kMostIterations);
                    most_ = std::max(most_, passes);
                    ++steps_;
                });
            } catch (const UnsupportedError&) {
                // A range that this kind cannot bind, or more groups than its grid holds.
                CHECK(kind.caps.max_storage_range_bytes < 65536 * kMiB);
            }
        }
    }

    void note_grad_set(const Tensor& /*tensor*/) override {}

    GeneratorState& generator() noexcept override { return generator_; }

    Tensor generator_tensor() override { return placeholder({4}, kInt32); }

    void add_call(std::function<void()> /*call*/, std::function<bool()> /*is_current*/) override {}

    Tensor add_number(std::function<double()> /*read*/) override { return placeholder({}); }

    [[nodiscard]] double most() const noexcept { return most_; }

    [[nodiscard]] int steps() const noexcept { return steps_; }

private:
    std::vector<DeviceKind> kinds_ = device_kinds();
    GeneratorState generator_;
    double most_ = 0;
    int steps_ = 0;
};

// Plans a call. Some steps must come near the bound, or the sizes prove nothing.
void plan(const std::string& what, const std::function<void()>& call, bool is_long = true) {
    INFO(what);
    Planner planner;
    call();
    CHECK(planner.steps() > 0);
    if (is_long) {
        CHECK(planner.most() > vk::kMostIterations / 16);
    }
}

using Function = std::function<Tensor(const Inputs&)>;

// Plans a function and the gradients of all its floating operands.
void plan_gradients(const std::string& what,
                    const Inputs& inputs,
                    const Function& function,
                    bool is_long = true) {
    const auto call = [&] {
        Inputs leaves = inputs;
        for (Tensor& leaf : leaves) {
            if (is_floating_point(leaf.dtype())) {
                leaf.set_requires_grad(true);
            }
        }
        const Tensor result = function(leaves);
        result.backward(placeholder(result.sizes(), result.dtype()));
    };
    plan(what, call, is_long);
}

constexpr std::int64_t kMostElements = (std::int64_t{1} << 31) - 1;

struct Shape {
    Dims sizes;
    Dims dims;
    DType dtype = kFloat32;
};

const std::vector<Shape>& long_shapes() {
    static const std::vector<Shape> shapes{{{100000000}, {0}},
                                           {{3, 1 << 24}, {1}},
                                           {{1 << 24, 3}, {0}},
                                           {{130, 50257}, {1}},
                                           {{50257, 130}, {0}},
                                           {{128, 2, 300000}, {0, 2}},
                                           {{300000, 2, 128}, {0, 2}},
                                           {{200, 70000, 3}, {1}},
                                           {{200, 1 << 20, 2, 2}, {1, 3}},
                                           {{130, 50257}, {1}, kFloat16},
                                           {{400, 1 << 22}, {1}, kBFloat16},
                                           {{kMostElements}, {0}, kFloat16}};
    return shapes;
}

}  // namespace

TEST_CASE("iterations: rectangles are cut into whole rows, or into pieces of one") {
    for (const auto& [rows, cols] : {std::pair{7U, 5U}, {1U, 100U}, {100U, 1U}, {9U, 64U}}) {
        for (const double most : {3.0, 12.0, 70.0, 1e6}) {
            std::uint64_t covered = 0;
            std::uint64_t next = 0;
            int ends = 0;
            dispatch::for_each_part(
                rows, cols, {most, 2, 1, 4}, [&](const dispatch::Rectangle& part) {
                    CHECK(part.is_first == (covered == 0));
                    CHECK(std::uint64_t{part.first_row} * cols + part.first_col == next);
                    const std::uint32_t height = part.end_row - part.first_row;
                    const std::uint32_t width = part.end_col - part.first_col;
                    CHECK((height == 1 || width == cols));
                    covered += std::uint64_t{height} * width;
                    next = covered;
                    ends += part.is_last ? 1 : 0;
                });
            CHECK(covered == std::uint64_t{rows} * cols);
            CHECK(ends == 1);
        }
    }
}

TEST_CASE("iterations: a kernel says how long its loops are") {
    dispatch::Step step;
    step.set(vk::KernelId::kMatmulSumSplitsF32,
             vk::MatmulSumSplitsSpec{.local_size = 64, .out_dtype = kFloat16, .has_bias = false},
             {.element_count = 1000,
              .cols = 10,
              .split_count = 256,
              .c_word = 0,
              .bias_offset = 0,
              .bias_stride = 0});
    CHECK(dispatch::iterations_of(step) == 1 + 2 * (1 + 256));
    const bool has_bound = vk::iteration_bound(vk::KernelId::kFactoryFill) != nullptr;
    CHECK_FALSE(has_bound);
}

TEST_CASE("iterations: reductions stay below the bound") {
    for (const Shape& shape : long_shapes()) {
        const Tensor x = placeholder(shape.sizes, shape.dtype);
        const Dims& dims = shape.dims;
        plan(to_string(shape.sizes), [&] {
            sum(x, dims);
            mean(x, dims);
            amax(x, dims);
            amin(x, dims);
            var(x, dims);
            std(x, dims);
            logsumexp(x, dims);
            any(x, dims);
            all(x, dims);
            argmax(x, dims[0]);
            argmin(x, dims[0]);
        });
    }
    const Tensor bytes = placeholder({kMostElements}, kUInt8);
    const Tensor rows = placeholder({130, 1 << 23}, kInt8);
    plan("integers", [&] {
        sum(bytes);
        amax(bytes);
        any(bytes);
        sum(rows, {1});
        all(rows, {1});
        amin(rows, {1});
        amax(permute(placeholder({300, 300, 300, 3}, kInt32), {3, 1, 0, 2}), {1, 3});
    });
}

TEST_CASE("iterations: running sums stay below the bound") {
    for (const Shape& shape : long_shapes()) {
        const Tensor x = placeholder(shape.sizes, shape.dtype);
        const auto longest = std::max_element(shape.sizes.begin(), shape.sizes.end());
        const std::int64_t dim = longest - shape.sizes.begin();
        plan(to_string(shape.sizes), [&] { cumsum(x, dim); });
    }
    plan("bytes", [] { cumsum(placeholder({kMostElements}, kUInt8), 0); });
}

TEST_CASE("iterations: softmax and losses stay below the bound") {
    for (const Shape& shape : long_shapes()) {
        if (shape.dims.count() > 1) {
            continue;
        }
        plan_gradients(
            to_string(shape.sizes), {placeholder(shape.sizes, shape.dtype)}, [&](const Inputs& in) {
                return softmax(log_softmax(in[0], shape.dims[0]), shape.dims[0]);
            });
    }
    plan_gradients("cross_entropy",
                   {placeholder({130, 50257}), placeholder({130}, kInt32)},
                   [](const Inputs& in) { return cross_entropy(in[0], in[1]); });
}

TEST_CASE("iterations: norms stay below the bound") {
    for (const Dims& sizes : {Dims{130, 50257},
                              Dims{1, 32000},
                              Dims{3, 1 << 24},
                              Dims{10000000, 8},
                              Dims{kMostElements / 4, 1}}) {
        for (const DType dtype : {kFloat32, kFloat16}) {
            const Dims row{sizes[1]};
            const Inputs inputs{placeholder(sizes, dtype), placeholder(row), placeholder(row)};
            INFO(to_string(sizes));
            plan_gradients("layer_norm", inputs, [&](const Inputs& in) {
                return layer_norm(in[0], row, in[1], in[2]);
            });
            plan_gradients("rms_norm", {inputs[0], inputs[1]}, [&](const Inputs& in) {
                return rms_norm(in[0], row, in[1]);
            });
        }
    }
    plan_gradients("group_norm", {placeholder({8, 6, 300, 300})}, [](const Inputs& in) {
        return group_norm(in[0], 2);
    });
}

TEST_CASE("iterations: products stay below the bound") {
    struct Sizes {
        Dims a;
        Dims b;
    };

    for (const Sizes& sizes : {Sizes{{111, 300000}, {300000, 111}},
                               Sizes{{1, 1 << 24}, {1 << 24, 1}},
                               Sizes{{4096, 140000}, {140000, 4096}},
                               Sizes{{5, 30, 500000}, {5, 500000, 20}},
                               Sizes{{100000000}, {100000000}}}) {
        for (const DType dtype : {kFloat32, kFloat16}) {
            plan_gradients(to_string(sizes.a),
                           {placeholder(sizes.a, dtype), placeholder(sizes.b, dtype)},
                           [](const Inputs& in) { return matmul(in[0], in[1]); });
        }
        plan("integers",
             [&] { matmul(placeholder(sizes.a, kInt32), placeholder(sizes.b, kInt32)); });
    }
    plan("out", [] {
        Tensor out = transpose(placeholder({200, 100}), 0, 1);
        matmul_out(out, placeholder({100, 1000000}), placeholder({1000000, 200}));
    });
}

TEST_CASE("iterations: convolutions stay below the bound") {
    struct Sizes {
        Dims x;
        Dims weight;
        IntPair stride = 1;
        IntPair dilation = 1;
        bool is_long = true;
    };

    for (const Sizes& sizes : {Sizes{{64, 3, 33, 33}, {2, 3, 1, 1}},
                               Sizes{{256, 64, 56, 56}, {64, 64, 3, 3}},
                               Sizes{{1, 1, 1, 200000}, {2, 1, 1, 70000}},
                               Sizes{{1, 1, 500, 500}, {1, 1, 400, 400}, 3},
                               Sizes{{2, 300000, 2, 2}, {3, 300000, 1, 1}},
                               Sizes{{1, 2, 1, 500000}, {300000, 2, 1, 3}, 100000, 70001},
                               Sizes{{1, 1, 1, 10000000}, {1, 1, 1, 100}, 70000, 90001, false}}) {
        for (const DType dtype : {kFloat32, kFloat16}) {
            plan_gradients(
                to_string(sizes.x),
                {placeholder(sizes.x, dtype), placeholder(sizes.weight, dtype)},
                [&](const Inputs& in) {
                    return conv2d(in[0], in[1], {}, sizes.stride, 0, sizes.dilation);
                },
                sizes.is_long);
        }
    }
}

TEST_CASE("iterations: pooling stays below the bound") {
    for (const DType dtype : {kFloat32, kBFloat16}) {
        const Inputs line{placeholder({1, 2, 1, 200000}, dtype)};
        const Inputs image{placeholder({2, 3, 1000, 1000}, dtype)};
        const IntPair wide{1, 70000};
        plan_gradients("max", line, [&](const Inputs& in) { return max_pool2d(in[0], wide, 1); });
        plan_gradients("max, square", image, [](const Inputs& in) {
            return max_pool2d(in[0], 300, 1, 150, 2);
        });
        plan("max, values alone", [&] { max_pool2d(line[0], wide); });
        plan_gradients("mean", line, [&](const Inputs& in) { return avg_pool2d(in[0], wide, 1); });
        plan_gradients(
            "mean, square", image, [](const Inputs& in) { return avg_pool2d(in[0], 300, 1, 150); });
        plan_gradients("adaptive, few", image, [](const Inputs& in) {
            return adaptive_avg_pool2d(in[0], IntPair(2, 3));
        });
        plan_gradients("adaptive, many", {placeholder({1, 1, 2, 3}, dtype)}, [](const Inputs& in) {
            return adaptive_avg_pool2d(in[0], IntPair(1000, 1000));
        });
    }
}

TEST_CASE("iterations: writes by index stay below the bound") {
    for (const DType dtype : {kFloat32, kFloat16, kInt8}) {
        for (const std::int64_t count : {std::int64_t{50000}, std::int64_t{10000000}}) {
            const Tensor index = placeholder({count}, kInt32);
            plan("rows", [&] {
                index_add(placeholder({10, 3}, dtype), 0, index, placeholder({count, 3}, dtype));
                index_copy(placeholder({10, 3}, dtype), 0, index, placeholder({count, 3}, dtype));
            });
            plan("elements", [&] {
                scatter_add(placeholder({10}, dtype), 0, index, placeholder({count}, dtype));
            });
            plan("columns", [&] {
                scatter_add(placeholder({3, 10, 2}, dtype),
                            1,
                            placeholder({3, count, 2}, kInt32),
                            placeholder({3, count, 2}, dtype));
            });
        }
    }
    plan_gradients("embedding",
                   {placeholder({50257, 768}), placeholder({64, 1024}, kInt32)},
                   [](const Inputs& in) { return embedding(in[0], in[1]); });
    plan_gradients("index_select",
                   {placeholder({5}), placeholder({10000000}, kInt32)},
                   [](const Inputs& in) { return index_select(in[0], 0, in[1]); });
}

TEST_CASE("iterations: gradients of views stay below the bound") {
    plan_gradients("unfold", {placeholder({100000})}, [](const Inputs& in) {
        return unfold(in[0], 0, 70000, 7);
    });
    plan_gradients("unfold, halves", {placeholder({100000}, kFloat16)}, [](const Inputs& in) {
        return unfold(in[0], 0, 70000, 7);
    });
    plan_gradients("as_strided", {placeholder({1000})}, [](const Inputs& in) {
        return as_strided(in[0], {300000, 10}, {0, 100}, 0);
    });
}

TEST_CASE("iterations: attention stays below the bound") {
    for (const std::int64_t keys : {std::int64_t{50000}, std::int64_t{1000000}}) {
        for (const DType dtype : {kFloat32, kFloat16}) {
            for (const std::int64_t width : {std::int64_t{64}, std::int64_t{200}}) {
                const Inputs inputs{placeholder({2, 3, 5, width}, dtype),
                                    placeholder({2, 3, keys, width}, dtype),
                                    placeholder({2, 3, keys, width}, dtype)};
                plan_gradients("attention", inputs, [](const Inputs& in) {
                    return scaled_dot_product_attention(in[0], in[1], in[2]);
                });
            }
        }
    }
    const Tensor x = placeholder({1, 40000, 64});
    plan("causal", [&] { scaled_dot_product_attention(x, x, x, {}, true); });
    // Runs of one block of keys each: the last block is not full.
    const Tensor wide = placeholder({1, 33, 12000});
    plan("wide queries", [&] { scaled_dot_product_attention(wide, wide, wide); });
}

TEST_CASE("iterations: what works element by element stays far below the bound") {
    const Dims sizes{100000000};
    plan(
        "maps",
        [&] {
            const Tensor x = placeholder(sizes);
            const Tensor bytes = placeholder(sizes, kUInt8);
            Tensor sums = pow(add(x, bytes), 3.0);
            pow(bytes, bytes);
            where(gt(x, 0.0), sums, exp(x));
            cat({x, x}, 0);
            dropout(x, 0.5, true);
            rand(sizes);
            arange(kMostElements);
            full({kMostElements}, 1, kInt8);
            tril(placeholder({10000, 10000}, kBFloat16));
            pad(x, {5, 5});
            x.to(kFloat16);
            transpose(placeholder({10000, 10000}), 0, 1).contiguous();
            gather(x, 0, placeholder(sizes, kInt32));
        },
        false);
}

}  // namespace pumice
