// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pumice::vk {

/// Why a barrier is needed.
enum class HazardKind : std::uint8_t {
    kNone,
    kReadAfterWrite,
    kWriteAfterRead,
    kWriteAfterWrite,
    kFull,  ///< no conflict, but the tracker has no room for more ranges
};

/// What `HazardTracker::check` found.
struct Hazard {
    HazardKind kind = HazardKind::kNone;
    bool is_across_submits = false;  ///< the earlier access belongs to an earlier submit
};

/// One bound range in the process-wide byte order of `make_access`.
struct Access {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool is_write = false;
};

/// Ranges of all buffers on one line, so that overlap is two comparisons. Ids that wrap, or a
/// buffer over 1 TiB, can only make ranges overlap that do not: a barrier too many.
inline Access make_access(std::uint32_t buffer_id,
                          std::uint64_t offset_bytes,
                          std::uint64_t size_bytes,
                          bool is_write) noexcept {
    const std::uint64_t begin = (std::uint64_t{buffer_id} << 40U) + offset_bytes;
    return {begin, begin + size_bytes, is_write};
}

/// The ranges that commands since the last barrier have read and written. Pure; the caller locks.
/// See Note [Hazards] in recorder.cpp.
class HazardTracker {
public:
    /// Ranges kept a kind. More would cost scanning time in long runs of independent dispatches,
    /// while a barrier every 30 dispatches or so costs next to nothing.
    static constexpr std::uint32_t kCapacity = 32;

    /// The first conflict of these accesses with the earlier ones. Accesses of one command do not
    /// conflict with each other: in-place kernels are written for that.
    [[nodiscard]] Hazard check(std::span<const Access> accesses) const noexcept {
        std::uint32_t read_count = 0;
        std::uint32_t write_count = 0;
        for (const Access& access : accesses) {
            const Hazard hazard = check_one(access);
            if (hazard.kind != HazardKind::kNone) {
                return hazard;
            }
            (access.is_write ? write_count : read_count) += 1;
        }
        const bool has_room =
            reads_.count + read_count <= kCapacity && writes_.count + write_count <= kCapacity;
        return {has_room ? HazardKind::kNone : HazardKind::kFull, false};
    }

    /// Remembers accesses that `check` found free of conflict, or that follow a barrier.
    void add(std::span<const Access> accesses) noexcept {
        for (const Access& access : accesses) {
            (access.is_write ? writes_ : reads_).add(access);
        }
    }

    /// A barrier was recorded: everything earlier is ordered before everything later.
    void clear() noexcept {
        reads_.clear();
        writes_.clear();
    }

    /// Everything so far belongs to a submit that is now on its way.
    void mark_submit() noexcept {
        reads_.submitted = reads_.count;
        writes_.submitted = writes_.count;
    }

    /// The host waited for the last submit: its accesses cannot conflict any more.
    void forget_submitted() noexcept {
        reads_.forget_submitted();
        writes_.forget_submitted();
    }

private:
    struct Ranges {
        std::uint32_t count = 0;
        std::uint32_t submitted = 0;  ///< this many, from the front, are of earlier submits
        std::uint64_t hull_begin = UINT64_MAX;
        std::uint64_t hull_end = 0;
        std::array<std::uint64_t, kCapacity> begins{};
        std::array<std::uint64_t, kCapacity> ends{};

        void clear() noexcept {
            count = 0;
            submitted = 0;
            hull_begin = UINT64_MAX;
            hull_end = 0;
        }

        void add(const Access& access) noexcept {
            if (count == kCapacity) {  // unreachable after a check; never write past the end
                return;
            }
            begins[count] = access.begin;
            ends[count] = access.end;
            hull_begin = std::min(hull_begin, access.begin);
            hull_end = std::max(hull_end, access.end);
            ++count;
        }

        /// Index of an overlapping range, or `count`.
        [[nodiscard]] std::uint32_t find(const Access& access) const noexcept {
            if (access.begin >= hull_end || hull_begin >= access.end) {
                return count;
            }
            for (std::uint32_t i = 0; i < count; ++i) {
                if (access.begin < ends[i] && begins[i] < access.end) {
                    return i;
                }
            }
            return count;
        }

        void forget_submitted() noexcept {
            const Ranges old = *this;
            clear();
            for (std::uint32_t i = old.submitted; i < old.count; ++i) {
                add({old.begins[i], old.ends[i], false});
            }
        }
    };

    [[nodiscard]] Hazard check_one(const Access& access) const noexcept {
        const std::uint32_t write = writes_.find(access);
        if (write != writes_.count) {
            return {access.is_write ? HazardKind::kWriteAfterWrite : HazardKind::kReadAfterWrite,
                    write < writes_.submitted};
        }
        if (access.is_write) {
            const std::uint32_t read = reads_.find(access);
            if (read != reads_.count) {
                return {HazardKind::kWriteAfterRead, read < reads_.submitted};
            }
        }
        return {};
    }

    Ranges reads_;
    Ranges writes_;
};

}  // namespace pumice::vk
