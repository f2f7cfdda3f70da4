// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/intrusive_ptr.h"

#include "base/pooled.h"
#include "memory/allocator.h"

namespace pumice {

/// Owner of one placed range of device memory; views share it.
class Storage final : public RefCounted, public Pooled<Storage> {
public:
    Storage(const memory::Allocation& allocation, std::uint64_t size_bytes) noexcept
        : allocation_(allocation), size_bytes_(size_bytes) {}

    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    Storage(Storage&&) = delete;
    Storage& operator=(Storage&&) = delete;
    ~Storage() override;

    const memory::Allocation& allocation() const noexcept { return allocation_; }

    /// Bytes that were asked for; the allocation is rounded up.
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }

    bool is_transient() const noexcept {
        return allocation_.storage_class == memory::StorageClass::kTransient;
    }

    /// Whether there is memory behind it; a placeholder has none yet, or never.
    bool is_placed() const noexcept { return allocation_.range.buffer != nullptr; }

    /// Whether its memory went to somebody else while it lived (`overwrite`).
    bool is_overwritten() const noexcept { return is_overwritten_; }

    /// Takes the memory away, which is not its own: it becomes a placeholder.
    void overwrite() noexcept {
        allocation_ = {};
        is_overwritten_ = true;
    }

    /// Gives the range back and goes on with another, which already holds (or is recorded to
    /// receive) the bytes. The caller keeps other threads away.
    void move_to(const memory::Allocation& allocation) noexcept;

private:
    memory::Allocation allocation_;
    std::uint64_t size_bytes_ = 0;
    bool is_overwritten_ = false;
};

/// Places `size_bytes` (at least one word, so that every tensor can be bound).
IntrusivePtr<Storage> make_storage(std::uint64_t size_bytes, memory::StorageClass storage_class);

/// The same without memory: its range has a rounded size, offset 0 and no buffer.
IntrusivePtr<Storage> make_placeholder(std::uint64_t size_bytes);

}  // namespace pumice
