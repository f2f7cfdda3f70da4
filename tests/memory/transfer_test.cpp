// SPDX-License-Identifier: Apache-2.0
#include "memory/transfer.h"

#include "pumice/error.h"

#include "memory/allocator.h"
#include "memory/scoped_environment.h"
#include "vk/device.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

using pumice::memory::Allocation;
using pumice::memory::Allocator;
using pumice::memory::download;
using pumice::memory::Readback;
using pumice::memory::StorageClass;
using pumice::memory::upload;
using pumice::test::ScopedEnvironment;

namespace {

std::vector<std::byte> pattern(std::size_t byte_count, unsigned seed) {
    std::vector<std::byte> bytes(byte_count);
    for (std::size_t i = 0; i < byte_count; ++i) {
        bytes[i] = static_cast<std::byte>((i * 131 + i / 251 + seed) & 0xffU);
    }
    return bytes;
}

bool starts_with(std::span<const std::byte> bytes, const std::vector<std::byte>& wanted) {
    return bytes.size() >= wanted.size() && std::equal(wanted.begin(), wanted.end(), bytes.begin());
}

}  // namespace

TEST_CASE("transfer: bytes come back as they went, staged or mapped") {
    for (const char* staging : {"", "force"}) {
        CAPTURE(staging);
        const ScopedEnvironment scope("PUMICE_STAGING", staging);
        Allocator allocator(pumice::vk::device());
        // The last one is longer than an upload's piece.
        for (const std::size_t byte_count : {1U, 3U, 4U, 1021U, 65536U, (9U << 20U) + 2U}) {
            CAPTURE(byte_count);
            const Allocation made = allocator.allocate(byte_count, StorageClass::kPersistent);
            const std::vector<std::byte> sent = pattern(byte_count, 1);
            upload(made.range, sent);
            CHECK(starts_with(download(made.range).bytes(), sent));
            allocator.deallocate(made);
        }
    }
}

TEST_CASE("transfer: a tail ends in its own word") {
    for (const char* staging : {"", "force"}) {
        CAPTURE(staging);
        const ScopedEnvironment scope("PUMICE_STAGING", staging);
        Allocator allocator(pumice::vk::device());
        const Allocation made = allocator.allocate(64, StorageClass::kPersistent);
        std::vector<std::byte> wanted = pattern(64, 1);
        upload(made.range, wanted);
        const std::vector<std::byte> tail = pattern(5, 99);
        upload({made.range.buffer, made.range.offset_bytes + 12, 8}, tail);
        Readback readback = download(made.range);
        const auto got = readback.bytes();
        std::copy(tail.begin(), tail.end(), wanted.begin() + 12);
        // Bytes 17 to 19 share the tail's last word and may have any value.
        CHECK(std::equal(wanted.begin(), wanted.begin() + 17, got.begin()));
        CHECK(std::equal(wanted.begin() + 20, wanted.end(), got.begin() + 20));
    }
}

TEST_CASE("transfer: uploads keep stream order with what the device does") {
    for (const char* staging : {"", "force"}) {
        CAPTURE(staging);
        const ScopedEnvironment scope("PUMICE_STAGING", staging);
        pumice::vk::Queue& queue = pumice::vk::device().queue();
        Allocator allocator(pumice::vk::device());
        const Allocation source = allocator.allocate(4096, StorageClass::kTransient);
        const Allocation target = allocator.allocate(4096, StorageClass::kTransient);
        const auto first = pattern(4096, 3);
        const auto second = pattern(4096, 4);
        upload(source.range, first);
        queue.copy(source.range, target.range);
        upload(source.range, second);
        Readback of_target = download(target.range);
        Readback of_source = download(source.range);
        CHECK(starts_with(of_target.bytes(), first));
        CHECK(starts_with(of_source.bytes(), second));
    }
}

TEST_CASE("transfer: readbacks overlap, move and may be dropped unread") {
    const ScopedEnvironment scope("PUMICE_STAGING", "force");
    Allocator allocator(pumice::vk::device());
    const Allocation first = allocator.allocate(256, StorageClass::kTransient);
    const Allocation second = allocator.allocate(256, StorageClass::kTransient);
    upload(first.range, pattern(256, 5));
    upload(second.range, pattern(256, 6));
    download(first.range);
    Readback of_first = download(first.range);
    Readback of_second = download(second.range);
    allocator.deallocate(first);
    allocator.deallocate(second);
    Readback moved = std::move(of_first);
    CHECK(starts_with(moved.bytes(), pattern(256, 5)));
    CHECK(moved.is_ready());
    moved = std::move(of_second);
    CHECK(starts_with(moved.bytes(), pattern(256, 6)));
}

TEST_CASE("transfer: nothing is ready and empty") {
    Readback nothing = download({});
    CHECK(nothing.is_ready());
    CHECK(nothing.bytes().empty());
    upload({}, {});
}

TEST_CASE("transfer: bytes that do not fit the range are our bug") {
    Allocator allocator(pumice::vk::device());
    const Allocation made = allocator.allocate(16, StorageClass::kPersistent);
    const std::vector<std::byte> long_bytes(made.range.size_bytes + 1);
    CHECK_THROWS_AS(upload(made.range, long_bytes), pumice::InternalError);
}

TEST_CASE("transfer: an unknown PUMICE_STAGING is refused") {
    const ScopedEnvironment scope("PUMICE_STAGING", "on");
    Allocator allocator(pumice::vk::device());
    const Allocation made = allocator.allocate(16, StorageClass::kPersistent);
    CHECK_THROWS_WITH_AS(upload(made.range, pattern(16, 0)),
                         "[PUMICE_STAGING] must be unset or one of: force; got on",
                         pumice::ArgumentError);
}
