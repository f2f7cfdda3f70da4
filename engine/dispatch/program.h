// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/inline_vector.h"
#include "vk/capabilities.h"
#include "vk/kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace pumice::dispatch {

/// Which tensor a kernel's binding is: by role and position, never by address, so that select is
/// pure.
struct Operand {
    enum class Role : std::uint8_t { kInput, kOutput, kWorkspace };
    Role role = Role::kInput;
    std::uint8_t index = 0;
};

constexpr Operand input(std::size_t index) noexcept {
    return {Operand::Role::kInput, static_cast<std::uint8_t>(index)};
}

constexpr Operand output(std::size_t index = 0) noexcept {
    return {Operand::Role::kOutput, static_cast<std::uint8_t>(index)};
}

constexpr Operand workspace(std::size_t index = 0) noexcept {
    return {Operand::Role::kWorkspace, static_cast<std::uint8_t>(index)};
}

/// One kernel call, not yet bound to memory.
struct Step {
    vk::KernelId kernel{};
    InlineVector<std::uint32_t, 16> spec;  ///< value of specialization constant i at index i
    InlineVector<Operand, 8> bindings;
    std::array<std::uint32_t, 3> groups{1, 1, 1};
    std::uint32_t push_bytes = 0;
    std::uint64_t work = 0;  ///< estimated arithmetic or memory operations
    alignas(8) std::array<std::byte, 128> push;

    // The push bytes stay unset until set_push: a Step is built once an operator.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): see above
    Step() noexcept {}

    /// `Push` mirrors the kernel's push-constant block; assert its size against
    /// vk::push_size_bytes(kernel) beside its declaration.
    template <class Push>
    void set_push(const Push& values) noexcept {
        static_assert(std::is_trivially_copyable_v<Push> && sizeof(Push) <= 128);
        std::memcpy(push.data(), &values, sizeof(Push));
        push_bytes = sizeof(Push);
    }
};

/// What one operator call runs: kernels in order, and scratch memory between them.
struct Program {
    InlineVector<Step, 4> steps;
    InlineVector<std::uint64_t, 4> workspace_bytes;
};

/// Folds a count of workgroups into a grid within the device's limits. The kernel finds its linear
/// group with `linear_group()` (shaders/include/grid.glsl) and must ignore groups past the count.
std::array<std::uint32_t, 3> fold_groups(std::uint64_t count, const vk::Capabilities& caps);

}  // namespace pumice::dispatch
