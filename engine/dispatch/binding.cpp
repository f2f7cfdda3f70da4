// SPDX-License-Identifier: Apache-2.0
// Which bytes of its storage a tensor, or a window of it, binds, and who has none to bind.
#include "dispatch/binding.h"

#include "pumice/error.h"

#include "vk/device.h"

#include <fmt/format.h>

#include <algorithm>

namespace pumice::dispatch {

namespace {

constexpr std::uint64_t kWordBytes = 4;

std::int64_t hull_of(const TensorImpl& impl) noexcept {
    return impl.is_contiguous ? impl.numel : hull_elements(impl.sizes, impl.strides);
}

}  // namespace

BoundRange bind_window(const TensorImpl& impl,
                       const Operand& window,
                       std::uint64_t alignment_bytes) noexcept {
    const vk::Binding& all = impl.storage->allocation().range;
    const unsigned shift = item_shift(impl.dtype);
    const std::int64_t hull = window.count == 0 ? hull_of(impl) : std::int64_t{window.count};
    // An empty view may stand at its storage's end or past it, where there is nothing to bind.
    const std::uint64_t first =
        hull == 0 ? 0 : static_cast<std::uint64_t>(impl.offset + window.first) << shift;
    const std::uint64_t start = first & ~(alignment_bytes - 1);
    const std::uint64_t bytes =
        std::max<std::uint64_t>(static_cast<std::uint64_t>(hull) << shift, 1);
    const std::uint64_t end = (first + bytes + kWordBytes - 1) & ~(kWordBytes - 1);
    return {.binding = {.buffer = all.buffer,
                        .offset_bytes = all.offset_bytes + start,
                        .size_bytes = std::min(end, all.size_bytes) - start},
            .offset_elements = static_cast<std::int64_t>((first - start) >> shift)};
}

BoundRange bind(const Tensor& tensor) {
    return bind_window(impl_of(tensor), {}, vk::device().capabilities().storage_alignment_bytes);
}

void check_placed(std::string_view op,
                  const Tensor& tensor,
                  const std::optional<SourceLocation>& line) {
    const Storage& storage = *impl_of(tensor).storage;
    if (storage.is_placed()) {
        return;
    }
    if (storage.is_overwritten()) {
        throw GradModeError(op,
                            fmt::format("{} is the result of a replay whose memory a later replay "
                                        "has taken, or the plan's end; clone it before, or capture "
                                        "without alias_outputs",
                                        describe(tensor)));
    }
    throw GradModeError(
        op,
        fmt::format("{} belongs to a captured function, whose operators have not run: its values "
                    "cannot be read on the host or used outside of the capture{}",
                    describe(tensor),
                    line ? fmt::format(" ({}:{})", line->file_name(), line->line()) : ""));
}

}  // namespace pumice::dispatch
