// SPDX-License-Identifier: Apache-2.0
// Memory that tensors share, or the promise of it.
#include "tensor/storage.h"

#include <algorithm>
#include <utility>

namespace pumice {

Storage::~Storage() {
    memory::allocator().deallocate(allocation_);
}

void Storage::move_to(const memory::Allocation& allocation) noexcept {
    memory::allocator().deallocate(std::exchange(allocation_, allocation));
}

namespace {

constexpr std::uint64_t kWordBytes = 4;

}  // namespace

IntrusivePtr<Storage> make_placeholder(std::uint64_t size_bytes) {
    memory::Allocation allocation;
    allocation.storage_class = memory::StorageClass::kPlanned;
    allocation.range.size_bytes =
        memory::allocator().rounded_bytes(std::max(size_bytes, kWordBytes));
    return IntrusivePtr<Storage>::make(allocation, size_bytes);
}

IntrusivePtr<Storage> make_storage(std::uint64_t size_bytes, memory::StorageClass storage_class) {
    const memory::Allocation allocation =
        memory::allocator().allocate(std::max(size_bytes, kWordBytes), storage_class);
    return IntrusivePtr<Storage>::make(allocation, size_bytes);
}

}  // namespace pumice
