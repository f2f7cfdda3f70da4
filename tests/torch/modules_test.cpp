// SPDX-License-Identifier: Apache-2.0
// Walks over modules and their tensors, as programs for LibTorch write them.
#include "pumice/torch.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using pumice::test::check_same_bits;
using pumice::test::check_throws;

namespace {

struct BlockImpl : torch::nn::Module {
    BlockImpl() {
        fc = register_module("fc", torch::nn::Linear(3, 2));
        norm = register_module("norm", torch::nn::BatchNorm1d(2));
        scale = register_parameter("scale", torch::ones({1}));
    }

    torch::nn::Linear fc{nullptr};
    torch::nn::BatchNorm1d norm{nullptr};
    torch::Tensor scale;
};

TORCH_MODULE(Block);

struct TowerImpl : torch::nn::Module {
    TowerImpl() {
        block = register_module("block", Block());
        head = register_module("head", torch::nn::Linear(2, 1));
        mark = register_buffer("mark", torch::zeros({1}));
    }

    Block block{nullptr};
    torch::nn::Linear head{nullptr};
    torch::Tensor mark;
};

TORCH_MODULE(Tower);

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("torch: named parameters and buffers are items with key and value") {
    const Tower tower;
    Names names;
    for (const auto& item : tower->named_parameters()) {
        names.push_back(item.key());
        CHECK(item.value().requires_grad());
        CHECK(item->is_leaf());
    }
    CHECK(names == Names{"block.scale",
                         "block.fc.weight",
                         "block.fc.bias",
                         "block.norm.weight",
                         "block.norm.bias",
                         "head.weight",
                         "head.bias"});
    names.clear();
    for (const auto& pair : tower->named_buffers()) {
        names.push_back(pair.first);
    }
    CHECK(names == Names{"mark",
                         "block.norm.running_mean",
                         "block.norm.running_var",
                         "block.norm.num_batches_tracked"});
    torch::OrderedDict<std::string, torch::Tensor> dict = tower->named_parameters();
    CHECK(dict["head.weight"].is_same(tower->head->weight));
    CHECK(dict.contains("head.bias"));
    CHECK(dict.find("weight") == nullptr);
    CHECK(dict.size() == 7);
    CHECK(dict.values()[1].is_same(tower->block->fc->weight));
    {
        torch::NoGradGuard guard;
        dict["head.bias"].copy_(torch::full({1}, 3.0));
    }
    CHECK(tower->head->bias.item() == 3.0);
    check_throws<c10::Error>([&] { static_cast<void>(dict["none"]); }, "got 'none'");

    CHECK(tower->block->named_parameters(false).keys() == Names{"scale"});
    CHECK(tower->block->parameters(/*recurse=*/false).size() == 1);
    CHECK(tower->named_buffers(false).keys() == Names{"mark"});
    CHECK(tower->buffers(false).size() == 1);
    CHECK(tower->parameters(false).empty());
}

TEST_CASE("torch: named modules and children, with and without the module itself") {
    const Tower tower;
    CHECK(tower->named_children().keys() == Names{"block", "head"});
    CHECK(tower->children().size() == 2);
    CHECK(tower->named_modules().keys() == Names{"", "block", "block.fc", "block.norm", "head"});
    CHECK(tower->named_modules("net").keys() ==
          Names{"net", "net.block", "net.block.fc", "net.block.norm", "net.head"});
    CHECK(tower->named_modules("net", /*include_self=*/false).keys() ==
          Names{"net.block", "net.block.fc", "net.block.norm", "net.head"});
    CHECK(tower->named_modules()[""] == tower.ptr());
    CHECK(tower->modules().size() == 5);
    CHECK(tower->modules(false)[1] == tower->block->fc.ptr());

    int linear_count = 0;
    for (const auto& module : tower->modules(/*include_self=*/false)) {
        if (auto* linear = module->as<torch::nn::Linear>()) {
            ++linear_count;
            CHECK(linear->bias.defined());
        }
        CHECK((module->as<torch::nn::BatchNorm1dImpl>() != nullptr) ==
              (module == tower->block->norm.ptr()));
    }
    CHECK(linear_count == 2);

    // On the stack, nobody owns it.
    const TowerImpl plain;
    CHECK(plain.modules(false).size() == 4);
    CHECK(plain.as<Tower>() == &plain);
    check_throws<torch::ArgumentError>([&] { static_cast<void>(plain.modules()); },
                                       "[named_modules] wanted a module that a ModuleHolder");
    // A copy owns itself.
    const auto sequence = std::make_shared<torch::nn::SequentialImpl>(torch::nn::Linear(2, 2));
    CHECK(sequence->clone()->named_modules().keys() == Names{"", "0"});
    CHECK(sequence->clone()->modules()[0] != sequence);
}
