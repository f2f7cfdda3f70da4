// SPDX-License-Identifier: Apache-2.0
// Module::clone and materialize_normal_: rules G54 and G56.
#include "pumice/nn/attention.h"
#include "pumice/nn/containers.h"
#include "pumice/nn/layers.h"
#include "pumice/nn/normalization.h"
#include "pumice/optim.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "tensor/tensor_impl.h"

#include <doctest/doctest.h>

namespace pumice::nn {

namespace {

// Two layers, of which the second has the first's weight, and a buffer.
class TiedImpl : public Cloneable<TiedImpl> {
public:
    TiedImpl() {
        first = register_module("first", Linear(3, 3, false));
        weight = register_parameter("weight", first->weight);
        scale = register_buffer("scale", full({1}, 2));
        absent = register_parameter("absent", Tensor());
    }

    Tensor forward(const Tensor& x) const { return linear(first(x) * scale, weight); }

    Linear first = nullptr;
    Tensor weight;
    Tensor scale;
    Tensor absent;

protected:
    void rebind() override {
        first = registered_module<Linear>("first");
        weight = registered("weight");
        scale = registered("scale");
        absent = registered("absent");
    }
};

using Tied = ModuleHolder<TiedImpl>;

// Has a tensor of its own and cannot be rebound.
class StiffImpl : public Module {
public:
    StiffImpl() { weight = register_parameter("weight", ones({2})); }

    Tensor weight;
};

using Stiff = ModuleHolder<StiffImpl>;

void check_apart(const Module& copy, const Module& original) {
    const StateDict own = copy.state_dict();
    const StateDict other = original.state_dict();
    REQUIRE(own.size() == other.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
        INFO(own[i].first);
        CHECK(own[i].first == other[i].first);
        CHECK(impl_of(own[i].second).storage != impl_of(other[i].second).storage);
        CHECK(own[i].second.requires_grad() == other[i].second.requires_grad());
        test::check_same_bits(own[i].second, other[i].second);
    }
}

}  // namespace

TEST_CASE("G54 a deep copy has its own tensors, the same values, and can be trained") {
    const Tied original;
    original->eval();
    const Tensor x = test::random_tensor({4, 3});
    original(x).sum().backward();
    const Tied copy(original->clone());
    CHECK(!copy->is_training());
    check_apart(*copy, *original);
    CHECK(copy->weight.is_same(copy->first->weight));
    CHECK(copy->first.ptr() != original->first.ptr());
    test::check_same_bits(copy(x), original(x));
    const Tensor grad = copy->weight.grad();
    REQUIRE(grad.defined());
    test::check_same_bits(grad, original->weight.grad());
    CHECK(impl_of(grad).storage != impl_of(original->weight.grad()).storage);

    const std::vector<double> before = original->weight.to_vector<double>();
    optim::SGD optimizer(copy->parameters(), {.lr = 0.5});
    optimizer.zero_grad();
    copy(x).sum().backward();
    optimizer.step();
    CHECK(copy->first->weight.to_vector<double>() != before);
    CHECK(original->weight.to_vector<double>() == before);
}

TEST_CASE("G54 the copy's kind is that of the mode it is made in") {
    const Tied normal;
    normal(ones({1, 3})).sum().backward();
    const Tied inferred = inference_mode([&] { return Tied(normal->clone()); });
    for (const auto& [name, value] : inferred->state_dict()) {
        INFO(name);
        CHECK(value.is_inference());
        CHECK(!impl_of(value).storage->is_transient());
    }
    CHECK(inferred->weight.requires_grad());
    CHECK(inferred->weight.grad().is_inference());
    // Out of an inference module comes one that can be trained, and in no_grad too.
    const Tied back = no_grad([&] { return Tied(inferred->clone()); });
    check_apart(*back, *normal);
    CHECK(!back->weight.is_inference());
    CHECK(!back->weight.grad().is_inference());
    back->zero_grad();
    back(ones({1, 3})).sum().backward();
    CHECK(back->weight.grad().defined());
}

TEST_CASE("G54 layers and containers copy what they hold") {
    const Sequential original(Linear(3, 4),
                              BatchNorm1d(4),
                              GroupNorm(2, 4),
                              LayerNorm(Dims{4}),
                              RMSNorm(Dims{4}),
                              Dropout(0.5));
    original->push_back(&relu);
    const Tensor x = test::random_tensor({5, 3});
    original(x);
    original->eval();
    const Sequential copy(original->clone());
    check_apart(*copy, *original);
    test::check_same_bits(copy(x), original(x));
    no_grad([&] { zero_(original->parameters()[0]); });
    CHECK(sum(abs(copy->parameters()[0])).item() > 0.0);

    const MultiheadAttention attention(
        MultiheadAttentionOptions{.embed_dim = 4, .num_heads = 1, .rotary_base = 100.0});
    const MultiheadAttention twin(attention->clone());
    const Tensor sequence = test::random_tensor({1, 3, 4});
    check_apart(*twin, *attention);
    test::check_same_bits(twin(sequence, sequence, sequence),
                          attention(sequence, sequence, sequence));
    CHECK(twin->q_proj.ptr() != attention->q_proj.ptr());

    ModuleList<Linear> list;
    list->push_back(Linear(2, 2));
    const ModuleList<Linear> copied(list->clone());
    check_apart(*copied, *list);
    CHECK((*copied)[0].ptr() != (*list)[0].ptr());
    const Embedding table(5, 2, 1);
    check_apart(*Embedding(table->clone()), *table);
}

TEST_CASE("G54 modules that cannot be copied say so") {
    const Stiff stiff;
    test::check_throws<UnsupportedError>([&] { stiff->clone(); }, "derive it from nn::Cloneable");
}

TEST_CASE("G56 materialize_normal_ makes an inference module trainable, in every mode") {
    const auto check = [](auto&& in_mode) {
        const Tied module = inference_mode([] { return Tied(); });
        REQUIRE(module->weight.is_inference());
        test::check_throws<GradModeError>([&] { optim::SGD(module->parameters(), {.lr = 0.1}); },
                                          "Cannot optimize an inference tensor");
        const Tensor old = module->weight;
        in_mode([&] { module->materialize_normal_(); });
        for (const auto& [name, value] : module->state_dict()) {
            INFO(name);
            CHECK(!value.is_inference());
        }
        CHECK(old.is_inference());
        CHECK(module->weight.is_same(module->first->weight));
        CHECK(!module->scale.is_inference());
        CHECK(module->weight.requires_grad());
        CHECK(!module->scale.requires_grad());
        test::check_same_bits(module->weight, old);
        optim::SGD optimizer(module->parameters(), {.lr = 0.1});
        module(ones({1, 3})).sum().backward();
        optimizer.step();
        CHECK(module->weight._version() > 0);
    };
    check([](auto&& run) { run(); });
    check([](auto&& run) { no_grad(run); });
    check([](auto&& run) { inference_mode(run); });
}

TEST_CASE("G56 materialize_normal_ leaves normal tensors alone and replaces all or nothing") {
    const Tied normal;
    const Tensor weight = normal->weight;
    normal->materialize_normal_();
    CHECK(normal->weight.is_same(weight));
    const Stiff kept;
    kept->materialize_normal_();
    const Stiff stiff = inference_mode([] { return Stiff(); });
    test::check_throws<UnsupportedError>([&] { stiff->materialize_normal_(); }, "rebind()");
    CHECK(stiff->parameters()[0].is_inference());
}

}  // namespace pumice::nn
