// SPDX-License-Identifier: Apache-2.0
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

IntrusivePtr<Storage> make_storage(std::uint64_t size_bytes, memory::StorageClass storage_class) {
    constexpr std::uint64_t kWordBytes = 4;
    const memory::Allocation allocation =
        memory::allocator().allocate(std::max(size_bytes, kWordBytes), storage_class);
    return IntrusivePtr<Storage>::make(allocation, size_bytes);
}

}  // namespace pumice
