// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace pumice {

/// Note [Pools]:
/// Tensors, storages, nodes and their records are made and dropped once an operator. Each class
/// that derives from Pooled keeps the memory of its dead objects on a list of the thread that
/// dropped them, so that the steady state of any program calls no allocator. Sanitizer builds do
/// without, or they could not see a use after free.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
template <class T>
class Pooled {};
#else
namespace detail {

struct FreeList {
    void* head = nullptr;
    std::uint32_t count = 0;
    bool is_closed = false;
};

/// Empties the list when the thread ends; later frees on that thread go straight to the heap.
class FreeListCloser {
public:
    explicit FreeListCloser(FreeList& list) noexcept : list_(list) {}

    FreeListCloser(const FreeListCloser&) = delete;
    FreeListCloser& operator=(const FreeListCloser&) = delete;
    FreeListCloser(FreeListCloser&&) = delete;
    FreeListCloser& operator=(FreeListCloser&&) = delete;

    ~FreeListCloser() {
        while (list_.head != nullptr) {
            void* next = *static_cast<void**>(list_.head);
            ::operator delete(list_.head);
            list_.head = next;
        }
        list_.is_closed = true;
    }

private:
    FreeList& list_;
};

}  // namespace detail

template <class T>
class Pooled {
public:
    static void* operator new(std::size_t size_bytes) {
        detail::FreeList& list = free_list;
        if (list.head != nullptr && size_bytes == sizeof(T)) {
            void* object = list.head;
            list.head = *static_cast<void**>(object);
            --list.count;
            return object;
        }
        return allocate(size_bytes);
    }

    static void operator delete(void* object, std::size_t size_bytes) noexcept {
        detail::FreeList& list = free_list;
        if (size_bytes != sizeof(T) || list.count >= kMostKept || list.is_closed) {
            ::operator delete(object);
            return;
        }
        *static_cast<void**>(object) = list.head;
        list.head = object;
        ++list.count;
    }

private:
    static constexpr std::uint32_t kMostKept = 4096;

    [[gnu::noinline]] static void* allocate(std::size_t size_bytes) {
        // Touching it here registers the thread-exit hook off the hot path.
        static thread_local const detail::FreeListCloser kCloser(free_list);
        static_cast<void>(kCloser);
        return ::operator new(size_bytes);
    }

    [[gnu::tls_model(
        "initial-exec")]] static inline thread_local constinit detail::FreeList free_list{};
};
#endif

}  // namespace pumice
