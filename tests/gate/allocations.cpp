// SPDX-License-Identifier: Apache-2.0
// Counts, by interposition, the calls of malloc and its kin (operator new is one of them) that
// operators make in inference mode in steady state, with the device's work as no-ops so that no
// driver is counted. Prints a line an operator; exit code 1 if one is not zero.
#include "pumice/pumice.h"

#include "vk/device.h"
#include "vk/seam.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <vector>

extern "C" {
// glibc's own, below the names that are defined here.
void* __libc_malloc(std::size_t size);                     // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* old, std::size_t size);         // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment,
                      std::size_t size);  // NOLINT(bugprone-reserved-identifier)
}

namespace {

thread_local constinit bool is_counting = false;
thread_local constinit std::int64_t allocation_count = 0;

void count_one() noexcept {
    if (is_counting) {
        ++allocation_count;
    }
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
    count_one();
    return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
    count_one();
    return __libc_calloc(count, size);
}

void* realloc(void* old, std::size_t size) {
    count_one();
    return __libc_realloc(old, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
    count_one();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size) {
    count_one();
    *result = __libc_memalign(alignment, size);
    return *result == nullptr ? 12 : 0;  // ENOMEM
}

}  // extern "C"

namespace {

using pumice::Tensor;

constexpr std::int64_t kCalls = 100'000;

struct Case {
    const char* name;
    std::function<void()> call;
};

std::int64_t count_allocations(const Case& the_case) {
    for (int i = 0; i < 1000; ++i) {
        the_case.call();
    }
    allocation_count = 0;
    is_counting = true;
    for (std::int64_t i = 0; i < kCalls; ++i) {
        the_case.call();
    }
    is_counting = false;
    return allocation_count;
}

bool is_zero(const pumice::debug::Counters& before) {
    const pumice::debug::Counters after = pumice::debug::counters();
    return after.version_counters == before.version_counters &&
           after.view_records == before.view_records &&
           after.autograd_metas == before.autograd_metas && after.nodes == before.nodes;
}

int run() {
    const pumice::InferenceMode guard;
    const Tensor a = pumice::rand({16, 16});
    const Tensor b = pumice::rand({16, 16});
    const Tensor row = pumice::rand({16});
    Tensor target = pumice::rand({16, 16});
    const std::array<Case, 15> cases = {{
        {"add", [&] { add(a, b); }},
        {"add_broadcast", [&] { add(a, row); }},
        {"mul_scalar", [&] { mul(a, 2); }},
        {"relu", [&] { relu(a); }},
        {"gelu", [&] { gelu(a); }},
        {"add_", [&] { add_(target, b); }},
        {"view", [&] { static_cast<void>(a.view({256})); }},
        {"transpose", [&] { static_cast<void>(transpose(a, 0, 1)); }},
        {"sum", [&] { sum(a, {1}); }},
        {"softmax", [&] { softmax(a, -1); }},
        {"matmul", [&] { matmul(a, b); }},
        {"linear", [&] { linear(a, b, row); }},
        {"layer_norm", [&] { layer_norm(a, {16}, row, row); }},
        {"rand",
         [&] {
             pumice::rand({16, 16});
         }},
        {"dropout", [&] { dropout(a, 0.5); }},
    }};
    pumice::synchronize();
    pumice::vk::install_null_execution(pumice::vk::device());
    bool passes = true;
    for (const Case& the_case : cases) {
        const pumice::debug::Counters before = pumice::debug::counters();
        const std::int64_t allocations = count_allocations(the_case);
        const bool is_clean = allocations == 0 && is_zero(before);
        std::printf("%-14s %lld calls, %lld allocations%s\n",
                    the_case.name,
                    static_cast<long long>(kCalls),
                    static_cast<long long>(allocations),
                    is_zero(before) ? "" : ", grad-mode objects made");
        passes = passes && is_clean;
    }
    pumice::vk::restore(pumice::vk::device());
    return passes ? 0 : 1;
}

}  // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
