// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/queue.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pumice::vk {

/// Dispatches with copies of what they point to, labels aside. Buffers stay the caller's.
class DispatchList {
public:
    explicit DispatchList(std::span<const Dispatch> dispatches);
    ~DispatchList() = default;
    DispatchList(const DispatchList&) = delete;
    DispatchList& operator=(const DispatchList&) = delete;
    DispatchList(DispatchList&&) = delete;
    DispatchList& operator=(DispatchList&&) = delete;

    [[nodiscard]] std::span<const Dispatch> calls() const noexcept { return calls_; }

private:
    std::vector<std::uint32_t> spec_;
    std::vector<Binding> bindings_;
    std::vector<std::byte> push_;
    std::vector<Dispatch> calls_;
};

}  // namespace pumice::vk
