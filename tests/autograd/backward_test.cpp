// SPDX-License-Identifier: Apache-2.0
#include "pumice/pumice.h"

#include "support/harness.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>

namespace pumice {

namespace {

Tensor leaf(const Dims& sizes = {2, 2}, double value = 1.0) {
    Tensor tensor = full(sizes, value);
    return tensor.set_requires_grad(true);
}

std::vector<float> filled(std::size_t count, float value) {
    return std::vector<float>(count, value);
}

}  // namespace

TEST_CASE("backward accumulates over uses and calls") {
    const Tensor x = leaf({3}, 2.0);
    const Tensor y = sum(add(mul(x, x), x));
    y.backward({}, true);
    CHECK(x.grad().to_vector<float>() == filled(3, 5.0F));
    y.backward();
    CHECK(x.grad().to_vector<float>() == filled(3, 10.0F));
}

TEST_CASE("backward with a gradient of the output's shape") {
    const Tensor x = leaf({3}, 2.0);
    const Tensor y = mul(x, 3.0);
    test::check_throws<ShapeError>([&] { y.backward(); }, "only for outputs with one element");
    test::check_throws<ShapeError>([&] { y.backward(ones({2})); }, "[2]");
    y.backward(tensor<float>({1, 2, 3}));
    CHECK(x.grad().to_vector<float>() == std::vector<float>{3, 6, 9});
}

TEST_CASE("a second walk through a freed graph throws") {
    const Tensor x = leaf({2}, 2.0);
    const Tensor y = sum(mul(x, x));
    y.backward();
    test::check_throws<GradModeError>([&] { y.backward(); }, "a second time");
    CHECK(x.grad().to_vector<float>() == filled(2, 4.0F));
}

TEST_CASE("G40 E3 is raised at forward time and leaves nothing behind") {
    const Tensor i = inference_mode([] { return ones({2, 2}); });
    const Tensor r = leaf();
    const MemoryStats before = memory_stats();
    test::check_throws<GradModeError>([&] { mul(r, i); },
                                      "Inference tensors cannot be saved for backward.");
    CHECK(memory_stats().allocation_count == before.allocation_count);
    CHECK(memory_stats().dispatch_count == before.dispatch_count);
    sum(add(r, i)).backward();
    CHECK(r.grad().to_vector<float>() == filled(4, 1.0F));
}

TEST_CASE("G41 a saved tensor that was written is found, in inference mode too") {
    const Tensor x = leaf();
    Tensor factor = full({2, 2}, 3.0);
    const Tensor y = sum(mul(x, factor));
    inference_mode([&] { zero_(factor); });
    test::check_throws<GradModeError>([&] { y.backward(); },
                                      "one of the variables needed for gradient computation has "
                                      "been modified by an inplace operation");
}

TEST_CASE("G41 a walk that finds a written tensor leaves gradients and graph as they were") {
    const Tensor x = leaf();
    const Tensor bias = leaf();
    Tensor factor = full({2, 2}, 3.0);
    const Tensor h = add(mul(x, factor), bias);
    Tensor squared = mul(h, h);
    squared.retain_grad();
    const Tensor y = sum(squared);
    no_grad([&] { zero_(factor); });
    test::check_throws<GradModeError>([&] { y.backward(); }, "modified by an inplace operation");
    CHECK(!squared.grad().defined());
    CHECK(!bias.grad().defined());
    CHECK(!x.grad().defined());
    // What does not need the written tensor still has all that it saved.
    CHECK(autograd::grad({y}, {bias})[0].to_vector<float>() == filled(4, 8.0F));
    test::check_throws<GradModeError>([&] { autograd::grad({y}, {bias}); }, "a second time");
}

TEST_CASE("leaves take their gradients all or none") {
    const Tensor small = leaf({2});
    const Tensor large = leaf({8 << 20});
    // The gradient of a sum is expanded, and its own memory is made at the end of the walk.
    const Tensor y = add(sum(small), sum(large));
    empty_cache();
    inject_fault(vk::device(), vk::Entry::kAllocateMemory, vk::Fault::kOutOfDeviceMemory);
    CHECK_THROWS_AS(y.backward({}, true), OutOfMemoryError);
    restore(vk::device());
    CHECK(!small.grad().defined());
    CHECK(!large.grad().defined());
    y.backward();
    CHECK(small.grad().to_vector<float>() == filled(2, 1.0F));
    CHECK(sum(large.grad()).item<float>() == static_cast<float>(8 << 20));
}

TEST_CASE("grad refuses an input that is not reached before it frees anything") {
    const Tensor x = leaf({2}, 2.0);
    const Tensor unused = leaf({2});
    Tensor product = mul(x, x);
    product.retain_grad();
    const Tensor y = sum(product);
    test::check_throws<GradModeError>(
        [&] {
            autograd::grad({y}, {x, unused});
        },
        "One of the differentiated Tensors (input 1) appears to not have been used in the graph");
    CHECK(!product.grad().defined());
    CHECK(autograd::grad({y}, {x})[0].to_vector<float>() == filled(2, 4.0F));
}

TEST_CASE("G42 backward throws in inference mode and works under no_grad") {
    const Tensor x = leaf();
    const Tensor y = sum(mul(x, 2.0));
    inference_mode([&] {
        test::check_throws<GradModeError>([&] { y.backward(); },
                                          "Cannot run backward inside inference_mode");
        test::check_throws<GradModeError>([&] { autograd::grad({y}, {x}); },
                                          "Cannot run backward inside inference_mode");
    });
    no_grad([&] { y.backward(); });
    CHECK(x.grad().to_vector<float>() == filled(4, 2.0F));
}

TEST_CASE("G44 roots without history; inference leaves receive gradients") {
    test::check_throws<GradModeError>(
        [] { ones({1}).backward(); },
        "element 0 of tensors does not require grad and does not have a grad_fn");
    const Tensor i = inference_mode([] { return ones({1}); });
    test::check_throws<GradModeError>([&] { i.backward(); }, "element 0 of tensors");
    const Tensor ir = inference_mode([] { return ones({2}, {kFloat32, true}); });
    sum(add(ones({2}), ir)).backward();
    CHECK(ir.grad().to_vector<float>() == filled(2, 1.0F));
    CHECK(!ir.grad().is_inference());
}

TEST_CASE("G45 the engine's gradients are normal tensors") {
    Tensor x = leaf({2});
    const Tensor given = inference_mode([] { return ones({2}); });
    add(x, 1.0).backward(given);
    CHECK(!x.grad().is_inference());
    x.set_grad(inference_mode([] { return full({2}, 5.0); }));
    add(x, 1.0).backward(ones({2}));
    CHECK(!x.grad().is_inference());
    CHECK(x.grad().to_vector<float>() == filled(2, 6.0F));
}

TEST_CASE("G45 a gradient that is given as an inference tensor is kept as a normal one") {
    for (const bool create_graph : {false, true}) {
        const Tensor x = ones({3}).set_requires_grad(true);
        x.backward(inference_mode([] { return full({3}, 2.0); }), {}, create_graph);
        CHECK(!x.grad().is_inference());
        test::check_close(x.grad(), {2, 2, 2});

        Tensor y = ones({3}).set_requires_grad(true);
        y.register_hook(
            [](const Tensor&) { return inference_mode([] { return full({3}, 4.0); }); });
        y.backward(ones({3}), {}, create_graph);
        CHECK(!y.grad().is_inference());
        test::check_close(y.grad(), {4, 4, 4});
    }
}

TEST_CASE("in-place operators rebase history") {
    const Tensor x = leaf({4}, 3.0);
    Tensor y = mul(x, 1.0);
    mul_(y, x);
    CHECK(y.grad_fn()->name() == "MulBackward");
    sum(y).backward();
    CHECK(x.grad().to_vector<float>() == filled(4, 6.0F));
}

TEST_CASE("an in-place write to a view becomes history of its base") {
    const Tensor x = leaf({4}, 2.0);
    const Tensor w = leaf({2}, 5.0);
    Tensor base = mul(x, 1.0);
    Tensor part = base.slice(0, 1, 3);
    mul_(part, w);
    CHECK(base.grad_fn()->name() == "CopySlices");
    sum(base).backward();
    CHECK(x.grad().to_vector<float>() == std::vector<float>{1, 5, 5, 1});
    CHECK(w.grad().to_vector<float>() == filled(2, 2.0F));
}

TEST_CASE("a plain tensor gains history when a tracked one is copied into a view of it") {
    const Tensor x = leaf({2}, 2.0);
    Tensor base = zeros({4});
    Tensor part = base.slice(0, 2, 4);
    copy_(part, mul(x, x));
    CHECK(base.requires_grad());
    sum(mul(base, 3.0)).backward();
    CHECK(x.grad().to_vector<float>() == filled(2, 12.0F));
}

TEST_CASE("grad returns gradients and touches no leaf") {
    const Tensor x = leaf({2}, 2.0);
    const Tensor w = leaf({2}, 3.0);
    const Tensor unused = leaf({2});
    const Tensor y = sum(mul(x, w));
    const std::vector<Tensor> gradients = autograd::grad({y}, {x}, {}, true);
    CHECK(gradients[0].to_vector<float>() == filled(2, 3.0F));
    CHECK(!x.grad().defined());
    CHECK(!w.grad().defined());
    test::check_throws<GradModeError>([&] { autograd::grad({y}, {unused}, {}, true); },
                                      "allow_unused");
    CHECK(!autograd::grad({y}, {unused}, {}, true, false, true)[0].defined());
}

TEST_CASE("create_graph gives second derivatives") {
    const Tensor x = leaf({3}, 2.0);
    const Tensor y = sum(mul(mul(x, x), x));
    const Tensor first = autograd::grad({y}, {x}, {}, true, true)[0];
    CHECK(first.to_vector<float>() == filled(3, 12.0F));
    sum(first).backward();
    CHECK(x.grad().to_vector<float>() == filled(3, 12.0F));
    // A formula that reads its own output: d2/dx2 exp(x) = exp(x).
    const Tensor z = leaf({1}, 0.0);
    const Tensor slope = autograd::grad({exp(z)}, {z}, {}, true, true)[0];
    slope.backward();
    CHECK(z.grad().item() == doctest::Approx(1.0));
}

TEST_CASE("retain_grad keeps the gradient of a result") {
    const Tensor x = leaf({2}, 2.0);
    Tensor y = mul(x, 3.0);
    y.retain_grad();
    sum(mul(y, y)).backward();
    CHECK(y.grad().to_vector<float>() == filled(2, 12.0F));
    test::check_throws<GradModeError>([] { ones({2}).retain_grad(); },
                                      "can't retain_grad on Tensor that has requires_grad=False");
}

TEST_CASE("a deep chain neither recurses in the walk nor in its destruction") {
    const Tensor x = leaf({1}, 1.0);
    Tensor y = mul(x, 1.0);
    for (int i = 0; i < 5000; ++i) {
        y = add(y, 0.0);
    }
    y.backward();
    CHECK(x.grad().item() == 1.0);
}

TEST_CASE("a tensor with history may outlive what its thread keeps for autograd") {
    std::weak_ptr<int> hooked;
    std::thread([&hooked] {
        // Made before this thread used autograd, so that it goes after all that autograd has here.
        thread_local Tensor last;
        last = mul(leaf(), 2.0);
        static_cast<void>(mul(mul(leaf(), 2.0), 2.0));
        const auto owned = std::make_shared<int>(0);
        hooked = owned;
        last.register_hook([owned](const Tensor& /*gradient*/) { return Tensor(); });
        for (int i = 0; i < 10; ++i) {
            last = mul(last, last);
        }
    }).join();
    CHECK(hooked.expired());
}

TEST_CASE("a chain of 100,000 operators walks back on one stack") {
    // The device's part is left out: this is about the host's stack.
    synchronize();
    const Tensor x = leaf({1}, 1.0);
    vk::install_null_execution(vk::device());
    {
        Tensor y = x;
        for (int i = 0; i < 100'000; ++i) {
            y = mul(y, x);
        }
        y.backward();
    }
    CHECK(x.grad().defined());
    vk::restore(vk::device());
}

TEST_CASE("set_grad checks shape and dtype") {
    Tensor x = leaf({2});
    test::check_throws<ShapeError>([&] { x.set_grad(ones({3})); }, "[3]");
    test::check_throws<DTypeError>([&] { x.set_grad(ones({2}, kFloat16)); }, "float16");
}

TEST_CASE("undefined handles are refused") {
    const Tensor undefined;
    test::check_throws<ArgumentError>([&] { undefined.backward(); }, "undefined");
    test::check_throws<ArgumentError>([&] { static_cast<void>(undefined.grad()); }, "undefined");
}

}  // namespace pumice
