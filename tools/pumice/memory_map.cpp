// SPDX-License-Identifier: Apache-2.0
#include "memory_map.h"

#include "svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

namespace pumice::command {

namespace {

// In pixels.
constexpr double kWidth = 1000.0;
constexpr double kHeight = 640.0;
constexpr svg::Box kBox = {.left = 90.0, .top = 50.0, .right = kWidth - 150.0, .bottom = 590.0};

// From the smallest class to the largest; a class is a factor of four below the largest size.
constexpr std::array<const char*, 6> kColours = {
    "#dfe8ef", "#a6c8dd", "#5fa3c7", "#f2c46d", "#e58a4e", "#b5443a"};

svg::Frame frame_of(std::span<const PlanBuffer> buffers, const MemoryPlan& plan) {
    std::int64_t first = buffers.empty() ? 0 : buffers.front().lower;
    std::int64_t end = buffers.empty() ? 1 : buffers.front().upper;
    for (const PlanBuffer& buffer : buffers) {
        first = std::min(first, buffer.lower);
        end = std::max(end, buffer.upper);
    }
    return {kBox, first, end, std::max(plan.height_bytes, plan.lower_bound_bytes)};
}

// 0 for the smallest class.
std::size_t class_of(std::uint64_t size_bytes, std::uint64_t largest_bytes) {
    const auto fours =
        static_cast<std::size_t>((std::bit_width(largest_bytes) - std::bit_width(size_bytes)) / 2);
    return kColours.size() - 1 - std::min(fours, kColours.size() - 1);
}

std::string draw_axes(const svg::Frame& frame, const MemoryPlan& plan) {
    const double left = kBox.left - 8;
    return svg::draw_border(frame) +
           svg::text_at((kBox.left + kBox.right) / 2, kBox.bottom + 36, "middle", "step") +
           svg::text_at(left, kBox.bottom + 4, "end", "0") +
           svg::text_at(
               left, frame.y(plan.height_bytes) + 4, "end", fmt::format("{}", plan.height_bytes)) +
           svg::text_at(left, (kBox.top + kBox.bottom) / 2, "end", "offset");
}

std::string draw_legend(std::uint64_t largest_bytes) {
    const double left = kBox.right + 16;
    std::string text = svg::text_at(left, kBox.top + 10, "start", "bytes");
    for (std::size_t i = 0; i < kColours.size(); ++i) {
        const double y = kBox.top + 20 + 22 * static_cast<double>(i);
        const std::size_t colour = kColours.size() - 1 - i;
        const int shift = std::max(
            static_cast<int>(std::bit_width(largest_bytes)) - 2 - 2 * static_cast<int>(i), 0);
        const std::uint64_t least_bytes = colour == 0 ? 0 : std::uint64_t{1} << shift;
        text += svg::square_entry(left, y, kColours[colour], fmt::format("from {}", least_bytes));
    }
    const double y = kBox.top + 50 + 22 * static_cast<double>(kColours.size());
    return text + svg::line_entry(left, y, "#1a1a1a", "6 4", "lower bound");
}

std::string title_of(std::size_t buffer_count, const MemoryPlan& plan) {
    const double ratio =
        plan.lower_bound_bytes == 0
            ? 1.0
            : static_cast<double>(plan.height_bytes) / static_cast<double>(plan.lower_bound_bytes);
    return fmt::format("{} buffers: height {}, lower bound {}, ratio {:.4f}{}",
                       buffer_count,
                       plan.height_bytes,
                       plan.lower_bound_bytes,
                       ratio,
                       plan.is_optimal ? ", optimal" : "");
}

}  // namespace

std::string draw_memory_map(std::span<const std::string> ids,
                            std::span<const PlanBuffer> buffers,
                            const MemoryPlan& plan) {
    const svg::Frame frame = frame_of(buffers, plan);
    std::uint64_t largest_bytes = 1;
    for (const PlanBuffer& buffer : buffers) {
        largest_bytes = std::max(largest_bytes, buffer.size_bytes);
    }
    std::string content = "<g stroke=\"#404040\" stroke-width=\"0.4\">\n";
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        content += svg::draw(frame,
                             {.lower = buffers[i].lower,
                              .upper = buffers[i].upper,
                              .offset_bytes = plan.offsets[i],
                              .size_bytes = buffers[i].size_bytes,
                              .name = ids[i],
                              .label = "",
                              .colour = kColours[class_of(buffers[i].size_bytes, largest_bytes)]});
    }
    content += "</g>\n";
    content += draw_axes(frame, plan);
    content += svg::line_at(frame, plan.lower_bound_bytes, "#1a1a1a", "6 4");
    content += draw_legend(largest_bytes);
    return svg::document(kWidth, kHeight, title_of(buffers.size(), plan), std::move(content));
}

}  // namespace pumice::command
