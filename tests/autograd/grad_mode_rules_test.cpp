// SPDX-License-Identifier: Apache-2.0
// Rules G20 to G39 through the device: kinds, views, versions, requires_grad.
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

namespace pumice {

namespace {

constexpr const char* kE2 =
    "Inplace update to inference tensor outside InferenceMode is not allowed.";
constexpr const char* kE3 = "Inference tensors cannot be saved for backward.";
constexpr const char* kE4 = "Inference tensors do not track version counter.";
constexpr const char* kE5 =
    "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.";

Tensor leaf(const Dims& sizes = {2, 2}) {
    Tensor tensor = ones(sizes);
    return tensor.set_requires_grad(true);
}

Tensor inference_tensor(bool requires_grad = false) {
    return inference_mode([&] {
        Tensor tensor = ones({2, 2});
        if (requires_grad) {
            tensor.set_requires_grad(true);
        }
        return tensor;
    });
}

}  // namespace

TEST_CASE("G4 the mode at the call decides, not the one when the device gets to it") {
    const Tensor r = leaf({64});
    Tensor made;
    Tensor inferred;
    {
        const NoGradGuard guard;
        made = mul(r, r);
    }
    {
        const InferenceMode guard;
        inferred = mul(r, r);
    }
    // Nothing has been submitted yet; both guards are gone.
    const Tensor recorded = mul(r, r);
    synchronize();
    CHECK(!made.requires_grad());
    CHECK(!made.is_inference());
    CHECK(inferred.is_inference());
    CHECK(recorded.requires_grad());
    CHECK(made.to_vector<float>() == recorded.to_vector<float>());
    CHECK(inferred.to_vector<float>() == recorded.to_vector<float>());
}

TEST_CASE("G20 G21 kind is set at allocation and never changes") {
    const Tensor n = ones({2});
    const Tensor i = inference_mode([&] {
        CHECK(!n.is_inference());
        CHECK(add(n, n).is_inference());
        CHECK(n.clone().is_inference());
        return ones({2});
    });
    CHECK(i.is_inference());
    CHECK(!add(i, i).is_inference());
    CHECK(!i.clone().is_inference());
    no_grad([&] { CHECK(!ones({2}).is_inference()); });
}

TEST_CASE("G22 G23 views have the kind of their base, copies that of the mode") {
    const Tensor n = ones({2, 3});
    const Tensor i = inference_tensor();
    inference_mode([&] {
        CHECK(!n.view({6}).is_inference());
        CHECK(!n.contiguous().is_inference());
        CHECK(n.contiguous().is_same(n));
        CHECK(n.t().contiguous().is_inference());
        CHECK(!n.to(kFloat32).is_inference());
        CHECK(n.to(kFloat16).is_inference());
        CHECK(!n.detach().is_inference());
    });
    CHECK(i.view({4}).is_inference());
    CHECK(!i.view({4}).is_view());
    CHECK(i.detach().is_inference());
    CHECK(!i.t().contiguous().is_inference());
}

TEST_CASE("G25 an inference tensor is a leaf without grad_fn") {
    const Tensor i = inference_tensor(true);
    CHECK(i.is_leaf());
    CHECK(i.grad_fn() == nullptr);
    CHECK(i.requires_grad());
}

TEST_CASE("section 5: functional calls on N, N with R, I and mixed, in each mode") {
    const Tensor n = ones({2, 2});
    const Tensor r = leaf();
    const Tensor i = inference_tensor();
    const Tensor ir = inference_tensor(true);
    CHECK(!add(n, n).requires_grad());
    CHECK(add(n, r).requires_grad());
    CHECK(add(n, r).grad_fn() != nullptr);
    CHECK(!add(i, ir).requires_grad());  // G27
    CHECK(!add(n, i).requires_grad());
    CHECK(add(r, i).requires_grad());  // G40: add saves nothing
    CHECK(add(n, ir).requires_grad());
    test::check_throws<GradModeError>([&] { mul(r, i); }, kE3);
    test::check_throws<GradModeError>([&] { mul(i, r); }, kE3);
    no_grad([&] {
        CHECK(!add(n, r).requires_grad());
        CHECK(add(n, r).is_leaf());
        CHECK(!mul(r, i).requires_grad());
    });
    inference_mode([&] {
        CHECK(add(n, r).is_inference());
        CHECK(!mul(r, i).requires_grad());
    });
}

TEST_CASE("G26 operands inside tensor lists count") {
    CHECK(cat({ones({2}), leaf({2})}).requires_grad());
    CHECK(!no_grad([] { return cat({ones({2}), leaf({2})}); }).requires_grad());
}

TEST_CASE("section 5: views in each mode") {
    const Tensor n = ones({2, 2});
    const Tensor r = leaf();
    CHECK(n.view({4}).is_view());
    CHECK(r.view({4}).grad_fn() != nullptr);
    const Tensor quiet = no_grad([&] { return r.view({4}); });
    CHECK(quiet.requires_grad());
    CHECK(quiet.is_leaf());
    const Tensor inferred = inference_mode([&] { return r.view({4}); });
    CHECK(!inferred.is_inference());
    CHECK(inferred.requires_grad());
    CHECK(inferred.is_leaf());
}

TEST_CASE("G28 out= in grad mode refuses R first, then inference targets") {
    const Tensor r = leaf();
    Tensor out = zeros({2, 2});
    const Tensor i = inference_tensor();
    test::check_throws<GradModeError>(
        [&] { add_out(out, r, r); },
        "functions with out=... arguments don't support automatic differentiation");
    no_grad([&] { add_out(out, r, r); });
    CHECK(out.to_vector<float>() == std::vector<float>(4, 2.0F));
    CHECK(out._version() == 1);
    Tensor target = i;
    test::check_throws<GradModeError>([&] { add_out(target, ones({2, 2}), ones({2, 2})); }, kE2);
    inference_mode([&] { add_out(target, ones({2, 2}), ones({2, 2})); });
    CHECK(target.to_vector<float>() == std::vector<float>(4, 2.0F));
    CHECK(target.is_inference());
}

TEST_CASE("G29 G30 a refused write leaves data and version alone") {
    Tensor i = inference_tensor();
    const Tensor r = leaf();
    test::check_throws<GradModeError>([&] { add_(i, 1.0); }, kE2);
    test::check_throws<GradModeError>([&] { copy_(i, zeros({2, 2})); }, kE2);
    CHECK(i.to_vector<float>() == std::vector<float>(4, 1.0F));
    Tensor self = r;
    test::check_throws<GradModeError>([&] { add_(self, 1.0); }, "a leaf Variable");
    CHECK(r.to_vector<float>() == std::vector<float>(4, 1.0F));
    CHECK(r._version() == 0);
}

TEST_CASE("G31 order of checks for in-place writes") {
    const Tensor r = leaf();
    const Tensor i = inference_tensor();
    Tensor quiet = no_grad([&] { return r.view({4}); });
    test::check_throws<GradModeError>([&] { add_(quiet, 1.0); }, "no_grad mode");
    Tensor inferred = inference_mode([&] { return r.view({4}); });
    test::check_throws<GradModeError>([&] { add_(inferred, 1.0); }, "inference mode");
    Tensor view = r.view({4});
    test::check_throws<GradModeError>([&] { add_(view, 1.0); }, "a view of a leaf Variable");
    Tensor grown = mul(r, 2.0);
    test::check_throws<GradModeError>([&] { mul_(grown, i); }, kE3);
    no_grad([&] { add_(quiet, 1.0); });  // G37
    CHECK(r._version() == 1);
}

TEST_CASE("G32 G33 requires_grad in each mode") {
    Tensor i = inference_tensor();
    test::check_throws<GradModeError>([&] { i.set_requires_grad(true); }, kE5);
    i.set_requires_grad(false);
    inference_mode([&] { i.set_requires_grad(true); });
    CHECK(i.requires_grad());
    Tensor n = no_grad([] { return ones({2}, {kFloat32, true}); });
    CHECK(n.requires_grad());
    CHECK(inference_mode([] { return ones({2}, {kFloat32, true}); }).requires_grad());
    inference_mode([&] { n.set_requires_grad(false); });
    CHECK(!n.requires_grad());
    Tensor whole = ones({2}, kInt32);
    test::check_throws<DTypeError>([&] { whole.set_requires_grad(true); }, "int32");
}

TEST_CASE("G34 every write bumps the version that views share, in every mode") {
    Tensor n = ones({2, 2});
    Tensor view = n.view({4});
    add_(n, 1.0);
    no_grad([&] { add_(view, 1.0); });
    inference_mode([&] { zero_(n); });
    CHECK(n._version() == 3);
    CHECK(view._version() == 3);
    const Tensor i = inference_tensor();
    test::check_throws<GradModeError>([&] { static_cast<void>(i._version()); }, kE4);
    inference_mode([&] {
        Tensor self = i;
        add_(self, 1.0);
        test::check_throws<GradModeError>([&] { static_cast<void>(i._version()); }, kE4);
    });
}

TEST_CASE("G35 a stale view rebuilds its history, or throws where it was made without grad") {
    const Tensor r = leaf();
    Tensor base = mul(r, 2.0);
    const Tensor view = base.view({4});
    const Tensor quiet = no_grad([&] { return base.view({4}); });
    const Tensor inferred = inference_mode([&] { return base.view({4}); });
    mul_(base, 3.0);
    CHECK(view.grad_fn()->name() == "AsStridedBackward");
    sum(view).backward();
    CHECK(r.grad().to_vector<float>() == std::vector<float>(4, 6.0F));
    CHECK(quiet.is_leaf());
    test::check_throws<GradModeError>(
        [&] { static_cast<void>(quiet.grad_fn()); },
        "its base or another view of its base has been modified inplace");
    test::check_throws<GradModeError>(
        [&] { add(inferred, 1.0); },
        "A view was created in inference mode and its base or another view of its base has been "
        "modified inplace");
}

TEST_CASE("G36 multi-output views refuse in-place writes in grad mode") {
    const Tensor base = mul(leaf({4}), 2.0);
    std::vector<Tensor> parts = split(base, 2);
    test::check_throws<GradModeError>([&] { add_(parts[0], 1.0); }, "multiple views");
}

TEST_CASE("G38 a view made without grad drops its gradient") {
    const Tensor r = leaf();
    const Tensor quiet = no_grad([&] { return r.view({4}); });
    const Tensor loss = sum(add(mul(quiet, 2.0), sum(r)));
    loss.backward();
    CHECK(!quiet.grad().defined());
    CHECK(r.grad().to_vector<float>() == std::vector<float>(4, 4.0F));
}

TEST_CASE("G39 detach and data") {
    const Tensor r = leaf();
    Tensor detached = r.detach();
    CHECK(!detached.requires_grad());
    no_grad([&] { add_(detached, 1.0); });
    CHECK(r._version() == 1);
    CHECK(r.to_vector<float>() == std::vector<float>(4, 2.0F));
    Tensor bare = r.data();
    CHECK(!bare.requires_grad());
    add_(bare, 1.0);
    CHECK(r._version() == 1);
    Tensor i = inference_tensor();
    i.detach_();
    CHECK(i.is_inference());
    Tensor grown = mul(r, 2.0);
    grown.detach_();
    CHECK(!grown.requires_grad());
    Tensor view = grown.view({4});
    test::check_throws<GradModeError>([&] { view.detach_(); }, "Can't detach views in-place");
}

TEST_CASE("G67 what an inference scope leaves free serves normal tensors") {
    constexpr std::int64_t kCount = 6'000'000;  // more than any block that the suite keeps
    empty_cache();
    const Tensor survivor = inference_mode([] {
        Tensor small = add(ones({4}), 1);  // in a block of its own, which is kept
        const Tensor large = ones({kCount});
        return small;
    });
    const MemoryStats before = memory_stats();
    const Tensor normal = ones({kCount});
    CHECK(memory_stats().reserved_bytes == before.reserved_bytes);
    CHECK(memory_stats().driver_allocation_count == before.driver_allocation_count);
    CHECK(survivor.to_vector<float>() == std::vector<float>(4, 2.0F));
}

TEST_CASE("G68 inference operators make no counter, view record, meta or node") {
    const Tensor n = ones({2, 2});
    const InferenceMode guard;
    const Tensor i = ones({2, 2});
    const debug::Counters before = debug::counters();
    for (int k = 0; k < 10; ++k) {
        const Tensor made = mul(add(i, n), i).view({4}).slice(0, 1, 3);
    }
    const debug::Counters after = debug::counters();
    CHECK(after.version_counters == before.version_counters);
    CHECK(after.view_records == before.view_records);
    CHECK(after.autograd_metas == before.autograd_metas);
    CHECK(after.nodes == before.nodes);
}

TEST_CASE("G69 a moved-in dying inference operand lends its memory") {
    const InferenceMode guard;
    Tensor x = test::random_tensor({1024});
    const MemoryStats before = memory_stats();
    x = relu(std::move(x));
    CHECK(memory_stats().allocation_count == before.allocation_count);
    const Tensor kept = x;
    x = relu(std::move(x));
    CHECK(memory_stats().allocation_count == before.allocation_count + 1);
}

}  // namespace pumice
