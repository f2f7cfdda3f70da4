// SPDX-License-Identifier: Apache-2.0
// How bytes go to the device and come back: in which pieces, by which way.
#include "memory/transfer.h"

#include "pumice/error.h"

#include "base/index_user.h"
#include "memory/staging.h"
#include "vk/device.h"
#include "vk/environment.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace pumice::memory {
namespace {

constexpr std::uint64_t kWordBytes = 4;
// Long uploads go in pieces, so that the host fills one while the device empties another.
constexpr std::uint64_t kMostPieceBytes = 8U << 20U;

bool is_staging_forced() {
    return vk::environment_says("PUMICE_STAGING", "force");
}

void upload_piece(const vk::Binding& target, std::span<const std::byte> bytes) {
    vk::Queue& queue = vk::device().queue();
    StagingRing& ring = upload_ring();
    Range* slice = ring.acquire(target.size_bytes);
    vk::Binding staged = ring.binding(*slice);
    staged.size_bytes = target.size_bytes;
    std::byte* host = staged.buffer->mapped + staged.offset_bytes;
    std::memcpy(host, bytes.data(), bytes.size());
    std::memset(host + bytes.size(), 0, target.size_bytes - bytes.size());
    try {
        queue.copy(staged, target);
    } catch (...) {
        ring.release_after(slice, queue.next_value());
        throw;
    }
    ring.release_after(slice, queue.next_value());
}

// What kernels up to this value, which was waited for, had to say (Note [Reports] in vk/reports.h).
void throw_reported(std::uint64_t value) {
    const std::optional<vk::Report> report = vk::device().queue().take_report(value);
    if (!report) [[likely]] {
        return;
    }
    const IndexUserText user = text_of(static_cast<IndexUser>(report->code));
    const std::int64_t extent = report->extent;
    std::string text = std::string(user.operand) + " must be in [" +
                       std::to_string(user.counts_back ? -extent : 0) + ", " +
                       std::to_string(extent) + "); got " + std::to_string(report->index);
    if (report->others > 0) {
        text += " (" + std::to_string(report->others) + " other dispatches met one too)";
    }
    throw IndexError(user.name, text);
}

}  // namespace

void upload(const vk::Binding& target, std::span<const std::byte> bytes) {
    if (bytes.size() > target.size_bytes || target.offset_bytes % kWordBytes != 0) {
        throw InternalError("upload",
                            "bytes must fit the range and its offset be a multiple of 4; got " +
                                std::to_string(bytes.size()) + " bytes for " +
                                std::to_string(target.size_bytes) + " at offset " +
                                std::to_string(target.offset_bytes));
    }
    if (bytes.empty()) {
        return;
    }
    const bool is_direct = !is_staging_forced() && target.buffer->mapped != nullptr &&
                           vk::device().queue().is_idle(target);
    if (is_direct) {
        std::memcpy(target.buffer->mapped + target.offset_bytes, bytes.data(), bytes.size());
        return;
    }
    for (std::uint64_t done_bytes = 0; done_bytes < bytes.size(); done_bytes += kMostPieceBytes) {
        const std::uint64_t piece_bytes =
            std::min<std::uint64_t>(kMostPieceBytes, bytes.size() - done_bytes);
        const std::uint64_t padded_bytes = (piece_bytes + kWordBytes - 1) & ~(kWordBytes - 1);
        upload_piece({target.buffer, target.offset_bytes + done_bytes, padded_bytes},
                     bytes.subspan(done_bytes, piece_bytes));
    }
}

std::byte* map_for_host(const vk::Binding& range) {
    if (is_staging_forced() || range.buffer->mapped == nullptr) {
        return nullptr;
    }
    vk::Queue& queue = vk::device().queue();
    const std::uint64_t value = queue.release_to_host(range);
    queue.wait(value);
    throw_reported(value);
    return range.buffer->mapped + range.offset_bytes;
}

Readback::~Readback() {
    drop();
}

Readback::Readback(Readback&& other) noexcept
    : staged_(std::exchange(other.staged_, {})),
      value_(std::exchange(other.value_, 0)),
      slice_(std::exchange(other.slice_, nullptr)) {}

Readback& Readback::operator=(Readback&& other) noexcept {
    if (this != &other) {
        drop();
        staged_ = std::exchange(other.staged_, {});
        value_ = std::exchange(other.value_, 0);
        slice_ = std::exchange(other.slice_, nullptr);
    }
    return *this;
}

void Readback::drop() noexcept {
    if (slice_ != nullptr) {
        // Its next tenant is written by a later copy of the same queue, which comes after ours.
        readback_ring().release(std::exchange(slice_, nullptr));
    }
}

bool Readback::is_ready() const {
    return staged_.buffer == nullptr || vk::device().queue().completed() >= value_;
}

void Readback::when_ready(std::function<void()> then) const {
    if (staged_.buffer == nullptr) {
        then();
        return;
    }
    vk::device().queue().when_reached(value_, std::move(then));
}

void Readback::wait() const {
    if (staged_.buffer != nullptr) {
        vk::device().queue().wait(value_);
    }
}

std::span<const std::byte> Readback::bytes() {
    if (staged_.buffer == nullptr) {
        return {};
    }
    wait();
    throw_reported(value_);
    return {staged_.buffer->mapped + staged_.offset_bytes, staged_.size_bytes};
}

Readback download(const vk::Binding& source) {
    Readback readback;
    if (source.buffer == nullptr || source.size_bytes == 0) {
        return readback;
    }
    vk::Device& device = vk::device();
    // Mapped memory of a discrete GPU is not cached: the host would read it across the bus, word by
    // word. So only unified memory is read in place.
    const bool is_direct = !is_staging_forced() && source.buffer->mapped != nullptr &&
                           device.capabilities().has_unified_memory;
    if (is_direct) {
        readback.value_ = device.queue().release_to_host(source);
        readback.staged_ = source;
        return readback;
    }
    StagingRing& ring = readback_ring();
    readback.slice_ = ring.acquire(source.size_bytes);
    vk::Binding staged = ring.binding(*readback.slice_);
    staged.size_bytes = source.size_bytes;
    device.queue().copy(source, staged);
    readback.value_ = device.queue().release_to_host(staged);
    readback.staged_ = staged;
    return readback;
}

}  // namespace pumice::memory
