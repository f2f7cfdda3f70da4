// SPDX-License-Identifier: Apache-2.0
#include "pumice/nn/containers.h"
#include "pumice/nn/layers.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "tensor/tensor_impl.h"
#include "vk/device.h"
#include "vk/seam.h"

#include <doctest/doctest.h>

namespace pumice::nn {

namespace {

class PairImpl : public Module {
public:
    PairImpl() {
        first = register_module("first", Linear(3, 4));
        second = register_module("second", Linear(4, 2, false));
        scale = register_buffer("scale", ones({1}));
        scratch = register_buffer("scratch", ones({1}), false);
    }

    Tensor forward(Tensor x) const { return mul(second(relu(first(std::move(x)))), scale); }

    void take(std::string name, const Tensor& value = ones({1})) {
        register_parameter(std::move(name), value);
    }

    void keep(std::string name, const Tensor& value) { register_buffer(std::move(name), value); }

    Linear first = nullptr;
    Linear second = nullptr;
    Tensor scale;
    Tensor scratch;
};

using Pair = ModuleHolder<PairImpl>;

}  // namespace

TEST_CASE("module: names, state and persistence") {
    const Pair pair;
    CHECK(pair->named_parameters().keys() ==
          std::vector<std::string>{"first.weight", "first.bias", "second.weight"});
    CHECK(pair->named_buffers().keys() == std::vector<std::string>{"scale", "scratch"});
    CHECK(pair->state_dict().keys() ==
          std::vector<std::string>{"first.weight", "first.bias", "second.weight", "scale"});
    CHECK(pair->parameters()[0].requires_grad());
    test::check_throws<ArgumentError>([&] { pair->take("first"); }, "'first' is taken");
    test::check_throws<ArgumentError>([&] { pair->take("a.b"); }, "have a dot");
    test::check_throws<ArgumentError>([&] { pair->take(""); }, "empty");
}

TEST_CASE("module: load_state_dict copies all or nothing") {
    const Pair from;
    const Pair to;
    to->load_state_dict(from->state_dict());
    const Tensor x = test::random_tensor({5, 3});
    test::check_same_bits(to(x), from(x));
    StateDict state = from->state_dict();
    state[2].second = ones({2, 5});
    const Tensor before = to->first->weight.clone();
    no_grad([&] { zero_(state[0].second); });
    test::check_throws<ShapeError>([&] { to->load_state_dict(state); },
                                   "'second.weight' has shape [2, 5], wanted [2, 4]");
    test::check_same_bits(to->first->weight, before);
    state.erase("scale");
    state.insert("extra", ones({1}));
    test::check_throws<ArgumentError>([&] { to->load_state_dict(state); },
                                      "missing keys: [scale]; unexpected keys: [extra]");
}

TEST_CASE("G5 G53 train, eval and to keep modes and kinds") {
    const Pair pair;
    inference_mode([&] { pair->eval(); });
    CHECK(!pair->is_training());
    CHECK(!pair->first->is_training());
    inference_mode([&] { pair->to(kFloat16); });
    CHECK(pair->first->weight.dtype() == kFloat16);
    CHECK(!pair->first->weight.is_inference());
    CHECK(pair->first->weight.requires_grad());
    CHECK(pair->scale.dtype() == kFloat16);
    test::check_throws<DTypeError>([&] { pair->to(kInt32); }, "int32");
}

TEST_CASE("G53 to keeps the kind of normal and inference parameters in every mode") {
    const auto check = [](auto&& in_mode) {
        const Pair normal;
        const Pair inferred = inference_mode([] { return Pair(); });
        in_mode([&] {
            normal->to(kBFloat16);
            inferred->to(kBFloat16);
        });
        for (const auto& [name, value] : normal->state_dict()) {
            INFO(name);
            CHECK(value.dtype() == kBFloat16);
            CHECK(!value.is_inference());
            CHECK(!impl_of(value).storage->is_transient());
        }
        for (const auto& [name, value] : inferred->state_dict()) {
            INFO(name);
            CHECK(value.dtype() == kBFloat16);
            CHECK(value.is_inference());
            CHECK(!impl_of(value).storage->is_transient());
        }
        CHECK(inferred->first->weight.requires_grad());
    };
    check([](auto&& run) { run(); });
    check([](auto&& run) { no_grad(run); });
    check([](auto&& run) { inference_mode(run); });
}

TEST_CASE("G55 load_state_dict writes normal tensors in any mode, inference tensors in one") {
    const Pair from;
    const Pair normal;
    const Pair inferred = inference_mode([] { return Pair(); });
    const Tensor weight = normal->first->weight;
    const Tensor before = inferred->first->weight.to(kFloat32);
    normal->load_state_dict(from->state_dict());
    no_grad([&] { normal->load_state_dict(from->state_dict()); });
    inference_mode([&] { normal->load_state_dict(from->state_dict()); });
    CHECK(weight._version() == 3);
    CHECK(weight.is_same(normal->first->weight));
    CHECK(!weight.is_inference());
    CHECK(weight.requires_grad());
    CHECK(weight.is_leaf());
    const auto refuses = [&] {
        test::check_throws<GradModeError>(
            [&] { inferred->load_state_dict(from->state_dict()); },
            "Inplace update to inference tensor outside InferenceMode is not allowed. "
            "'first.weight' is one");
    };
    refuses();
    no_grad(refuses);
    test::check_same_bits(inferred->first->weight, before);
    inference_mode([&] { inferred->load_state_dict(from->state_dict()); });
    test::check_same_bits(inferred->second->weight, from->second->weight);
    // Values of either kind go into either kind.
    normal->load_state_dict(inferred->state_dict());
    CHECK(!normal->second->weight.is_inference());
}

TEST_CASE("G55 a refusal for one inference tensor copies nothing into the others") {
    const Sequential mixed(Linear(2, 2), inference_mode([] { return Linear(2, 2); }));
    const Sequential from(Linear(2, 2), Linear(2, 2));
    CHECK_THROWS_AS(mixed->load_state_dict(from->state_dict()), GradModeError);
    CHECK(mixed->parameters()[0]._version() == 0);
}

TEST_CASE("G65 registering an inference tensor moves it to persistent memory") {
    const InferenceMode guard;
    const Tensor whole = test::random_tensor({4, 3});
    const Tensor part = whole.narrow(0, 1, 2);
    const Tensor plain = test::random_tensor({3});
    REQUIRE(impl_of(whole).storage->is_transient());
    REQUIRE(impl_of(plain).storage->is_transient());
    const std::vector<float> values = part.to_vector<float>();
    const Pair pair;
    for (const auto& [name, value] : pair->state_dict()) {
        INFO(name);
        CHECK(value.is_inference());
        CHECK(!impl_of(value).storage->is_transient());
    }
    pair->keep("part", part);
    pair->take("plain", plain);
    CHECK(!impl_of(whole).storage->is_transient());
    CHECK(!impl_of(plain).storage->is_transient());
    CHECK(part.is_inference());
    CHECK(part.to_vector<float>() == values);
    test::check_throws<ArgumentError>([&] { pair->keep("part", ones({1})); }, "'part' is taken");
}

TEST_CASE("module: to converts gradients that are there, in place") {
    const Pair pair;
    sum(pair(test::random_tensor({5, 3}))).backward();
    const Tensor grad = pair->first->weight.grad();
    const std::vector<double> values = grad.to_vector<double>();
    pair->to(kFloat16);
    for (const auto& [name, value] : pair->named_parameters()) {
        INFO(name);
        CHECK(value.grad().dtype() == kFloat16);
        CHECK(!value.grad().is_inference());
    }
    CHECK(pair->first->weight.grad().impl() == grad.impl());
    test::check_close(grad, values, test::tolerance_of(kFloat16));
    // The next walk adds in the new dtype.
    sum(pair(test::random_tensor({5, 3}, -1.0, 1.0, 1, kFloat16))).backward();
    CHECK(pair->first->weight.grad().dtype() == kFloat16);
}

TEST_CASE("module: to converts all or nothing") {
    const Pair pair;
    empty_cache();  // so that "large" does not leave most of an older block free
    pair->keep("large", zeros({4096, 4096}));
    empty_cache();
    vk::inject_fault(vk::device(), vk::Entry::kAllocateMemory, vk::Fault::kOutOfDeviceMemory);
    CHECK_THROWS_AS(pair->to(kFloat16), OutOfMemoryError);
    vk::restore(vk::device());
    for (const auto& [name, value] : pair->state_dict()) {
        INFO(name);
        CHECK(value.dtype() == kFloat32);
    }
}

TEST_CASE("module: gradients reach every parameter and zero_grad drops them") {
    const Pair pair;
    sum(pair(test::random_tensor({5, 3}))).backward();
    for (const auto& [name, value] : pair->named_parameters()) {
        INFO(name);
        CHECK(value.grad().defined());
    }
    pair->zero_grad(false);
    test::check_close(pair->first->bias.grad(), std::vector<double>(4, 0.0));
    pair->zero_grad();
    CHECK(!pair->first->bias.grad().defined());
}

TEST_CASE("containers: Sequential and ModuleList register their children") {
    const Sequential chain(Linear(3, 4), Linear(4, 2));
    CHECK(chain->named_parameters().keys() ==
          std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias"});
    CHECK(chain(ones({7, 3})).sizes() == Dims{7, 2});
    chain->push_back(&relu);
    CHECK(chain->count() == 3);
    test::check_throws<ArgumentError>([] { Sequential()(ones({1})); }, "no modules");
    ModuleList<Linear> list;
    list->push_back(Linear(2, 2));
    CHECK(list->named_parameters().keys() == std::vector<std::string>{"0.weight", "0.bias"});
}

}  // namespace pumice::nn
