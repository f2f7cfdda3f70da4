// SPDX-License-Identifier: Apache-2.0
// What a captured function reads on the host: calls and numbers of each replay.
#include "graph/host_state.h"

#include "pumice/error.h"
#include "pumice/grad_mode.h"
#include "pumice/graph.h"
#include "pumice/ops.h"

#include "dispatch/generator.h"
#include "dispatch/observer.h"
#include "dispatch/state.h"
#include "memory/transfer.h"
#include "tensor/tensor_impl.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace pumice {

namespace graph {

namespace {

constexpr std::size_t kPageNumbers = 256;

void upload(const Tensor& target, std::span<const std::byte> bytes) {
    vk::Binding range = impl_of(target).storage->allocation().range;
    range.size_bytes = bytes.size();
    memory::upload(range, bytes);
}

}  // namespace

HostState::HostState() : generator_{.seed = dispatch::kReplaySeed} {}

void HostState::add_call(std::function<void()> call, std::function<bool()> is_current) {
    calls_.push_back({std::move(call), std::move(is_current)});
}

Tensor HostState::add_number(std::function<double()> read) {
    const PersistentAllocGuard guard;
    if (pages_.empty() || pages_.back().values.size() == kPageNumbers) {
        pages_.push_back({empty({kPageNumbers}), {}});
    }
    const std::size_t page = pages_.size() - 1;
    const std::size_t index = pages_[page].values.size();
    pages_[page].values.push_back(0.0F);
    add_call(
        [this, page, index, read = std::move(read)] {
            pages_[page].values[index] = static_cast<float>(read());
        },
        {});
    return pages_[page].tensor.select(0, static_cast<std::int64_t>(index));
}

Tensor HostState::generator_tensor() {
    if (!generator_tensor_.defined()) {
        const PersistentAllocGuard guard;
        generator_tensor_ = empty({4}, kInt32);
    }
    return generator_tensor_;
}

bool HostState::is_current() const {
    return std::all_of(calls_.begin(), calls_.end(), [](const Call& each) {
        return !each.is_current || each.is_current();
    });
}

void HostState::feed() {
    for (const Call& each : calls_) {
        each.call();
    }
    for (const Page& page : pages_) {
        upload(page.tensor, std::as_bytes(std::span(page.values)));
    }
    const GeneratorState state = dispatch::replay_generator(generator_);
    if (generator_tensor_.defined()) {
        const std::array words = {dispatch::words_of(state.seed), dispatch::words_of(state.offset)};
        upload(generator_tensor_, std::as_bytes(std::span(words)));
    }
}

}  // namespace graph

bool is_capturing() noexcept {
    return dispatch::capturer() != nullptr;
}

void host_call(std::function<void()> call, std::function<bool()> is_current) {
    if (!call) {
        throw ArgumentError("host_call", "got an empty function, wanted one to call");
    }
    if (dispatch::Capturer* const capture = dispatch::capturer()) {
        capture->add_call(std::move(call), std::move(is_current));
    } else {
        call();
    }
}

Tensor host_number(std::function<double()> read) {
    if (!read) {
        throw ArgumentError("host_number", "got an empty function, wanted one that gives a number");
    }
    if (dispatch::Capturer* const capture = dispatch::capturer()) {
        return capture->add_number(std::move(read));
    }
    return full({}, read(), kFloat32);
}

}  // namespace pumice
