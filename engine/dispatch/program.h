// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/inline_vector.h"
#include "base/invariant.h"
#include "vk/capabilities.h"
#include "vk/kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace pumice::dispatch {

/// Which tensor a kernel's binding is: by role and position, never by address, so that select is
/// pure.
struct Operand {
    enum class Role : std::uint8_t { kInput, kOutput, kWorkspace };
    Role role = Role::kInput;
    std::uint8_t index = 0;
    // A window that the step binds alone, in elements of memory from the tensor's first one on; see
    // Note [Windows].
    std::uint32_t first = 0;
    std::uint32_t count = 0;  ///< 0: all of the tensor
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

/// A window of a tensor's elements; `bound_offset` takes the same `first`.
constexpr Operand window_of(Operand operand, std::int64_t first, std::int64_t count) noexcept {
    operand.first = static_cast<std::uint32_t>(first);
    operand.count = static_cast<std::uint32_t>(count);
    return operand;
}

/// One kernel call, not yet bound to memory.
class Step {
public:
    // The push bytes stay unset until set: a Step is built once an operator.
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): see above
    Step() noexcept {}

    InlineVector<Operand, 8> bindings;
    std::array<std::uint32_t, 3> groups{1, 1, 1};
    std::uint64_t work = 0;      ///< estimated arithmetic or memory operations
    std::uint8_t quad_mask = 0;  ///< bit i: four words are read of binding i at once (reads.glsl)

    /// The kernel of a file without variants, and what it is handed: structs of vk/kernels/.
    template <class Spec>
    void set(const Spec& constants, const typename Spec::Push& pushed) {
        static_assert(Spec::kWordCounts.size() == 1, "which variant?");
        set(Spec::kFirstKernel, constants, pushed);
    }

    /// One of a file's variants. @throws InternalError for a kernel of another file
    template <class Spec>
    void set(vk::KernelId variant, const Spec& constants, const typename Spec::Push& pushed) {
        const auto at =
            static_cast<std::size_t>(variant) - static_cast<std::size_t>(Spec::kFirstKernel);
        PUMICE_INVARIANT(at < Spec::kWordCounts.size());
        kernel_ = variant;
        const auto words = constants.by_id();
        spec_.clear();
        for (std::size_t i = 0; i < Spec::kWordCounts[at]; ++i) {
            spec_.push_back(words[i]);
        }
        static_assert(Spec::kPushBytes <= std::tuple_size_v<decltype(push_)>);
        std::memcpy(push_.data(), &pushed, Spec::kPushBytes);
        push_bytes_ = Spec::kPushBytes;
    }

    [[nodiscard]] vk::KernelId kernel() const noexcept { return kernel_; }

    /// The value of specialization constant i at index i.
    [[nodiscard]] std::span<const std::uint32_t> spec() const noexcept {
        return {spec_.data(), spec_.size()};
    }

    [[nodiscard]] std::span<const std::byte> push() const noexcept {
        return {push_.data(), push_bytes_};
    }

private:
    vk::KernelId kernel_{};
    std::uint32_t push_bytes_ = 0;
    InlineVector<std::uint32_t, 16> spec_;
    alignas(8) std::array<std::byte, 128> push_;
};

/// Steps in order. The first ones lie in place, so that a call costs no heap; windows may take
/// more.
class Steps {
public:
    Step& emplace_back() {
        return in_place_.size() < kInPlace ? in_place_.emplace_back() : more_.emplace_back();
    }

    [[nodiscard]] std::size_t size() const noexcept { return in_place_.size() + more_.size(); }

    const Step& operator[](std::size_t i) const noexcept {
        return i < kInPlace ? in_place_[i] : more_[i - kInPlace];
    }

private:
    static constexpr std::size_t kInPlace = 4;
    InlineVector<Step, kInPlace> in_place_;
    std::vector<Step> more_;
};

/// What one operator call runs: kernels in order, and scratch memory between them.
struct Program {
    Steps steps;
    InlineVector<std::uint64_t, 4> workspace_bytes;
};

/// Folds a count of workgroups into a grid within the device's limits. The kernel finds its linear
/// group with `linear_group()` (shaders/include/grid.glsl) and must ignore groups past the count.
std::array<std::uint32_t, 3> fold_groups(std::uint64_t count, const vk::Capabilities& caps);

}  // namespace pumice::dispatch
