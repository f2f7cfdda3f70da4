// SPDX-License-Identifier: Apache-2.0
#include "memory_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

namespace pumice::command {

namespace {

// In pixels.
constexpr double kWidth = 1000.0;
constexpr double kHeight = 640.0;
constexpr double kLeft = 90.0;
constexpr double kRight = 150.0;
constexpr double kTop = 50.0;
constexpr double kBottom = 50.0;

// From the smallest class to the largest; a class is a factor of four below the largest size.
constexpr std::array<const char*, 6> kColours = {
    "#dfe8ef", "#a6c8dd", "#5fa3c7", "#f2c46d", "#e58a4e", "#b5443a"};

/// Steps and bytes to pixels.
class Frame {
public:
    Frame(std::span<const PlanBuffer> buffers, const MemoryPlan& plan)
        : top_bytes_(std::max({plan.height_bytes, plan.lower_bound_bytes, std::uint64_t{1}})) {
        if (!buffers.empty()) {
            first_ = buffers.front().lower;
            end_ = buffers.front().upper;
        }
        for (const PlanBuffer& buffer : buffers) {
            first_ = std::min(first_, buffer.lower);
            end_ = std::max(end_, buffer.upper);
        }
    }

    [[nodiscard]] std::int64_t first() const { return first_; }

    [[nodiscard]] std::int64_t end() const { return end_; }

    [[nodiscard]] double x(std::int64_t step) const {
        const double part = (static_cast<double>(step) - static_cast<double>(first_)) /
                            (static_cast<double>(end_) - static_cast<double>(first_));
        return kLeft + (kWidth - kLeft - kRight) * part;
    }

    [[nodiscard]] double y(std::uint64_t bytes) const {
        const double part = static_cast<double>(bytes) / static_cast<double>(top_bytes_);
        return kHeight - kBottom - (kHeight - kTop - kBottom) * part;
    }

private:
    std::int64_t first_ = 0;
    std::int64_t end_ = 1;
    std::uint64_t top_bytes_;
};

std::string escaped(const std::string& text) {
    std::string safe;
    for (const char letter : text) {
        switch (letter) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            default: safe += letter;
        }
    }
    return safe;
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
    return fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, text);
}

// 0 for the smallest class.
std::size_t class_of(std::uint64_t size_bytes, std::uint64_t largest_bytes) {
    const auto fours =
        static_cast<std::size_t>((std::bit_width(largest_bytes) - std::bit_width(size_bytes)) / 2);
    return kColours.size() - 1 - std::min(fours, kColours.size() - 1);
}

std::string draw_buffer(const Frame& frame,
                        const std::string& id,
                        const PlanBuffer& buffer,
                        std::uint64_t offset_bytes,
                        const char* colour) {
    const double left = frame.x(buffer.lower);
    const double top = frame.y(offset_bytes + buffer.size_bytes);
    return fmt::format(
        "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\">"
        "<title>{}: [{}, {}), {} bytes at {}</title></rect>\n",
        left,
        top,
        frame.x(buffer.upper) - left,
        frame.y(offset_bytes) - top,
        colour,
        escaped(id),
        buffer.lower,
        buffer.upper,
        buffer.size_bytes,
        offset_bytes);
}

std::string draw_line(double y, const char* colour, const char* dashes) {
    return fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.2f}\" y2=\"{2:.2f}\" stroke=\"{3}\" "
        "stroke-width=\"2\" stroke-dasharray=\"{4}\"/>\n",
        kLeft,
        kWidth - kRight,
        y,
        colour,
        dashes);
}

std::string draw_axes(const Frame& frame, const MemoryPlan& plan) {
    const double bottom = kHeight - kBottom;
    std::string svg = fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#404040\"/>\n",
        kLeft,
        kTop,
        kWidth - kLeft - kRight,
        bottom - kTop);
    svg += text_at(kLeft, bottom + 18, "middle", fmt::format("{}", frame.first()));
    svg += text_at(kWidth - kRight, bottom + 18, "middle", fmt::format("{}", frame.end()));
    svg += text_at((kLeft + kWidth - kRight) / 2, bottom + 36, "middle", "step");
    svg += text_at(kLeft - 8, bottom + 4, "end", "0");
    svg += text_at(
        kLeft - 8, frame.y(plan.height_bytes) + 4, "end", fmt::format("{}", plan.height_bytes));
    svg += text_at(kLeft - 8, (kTop + bottom) / 2, "end", "offset");
    return svg;
}

std::string draw_legend(std::uint64_t largest_bytes) {
    const double left = kWidth - kRight + 16;
    std::string svg = text_at(left, kTop + 10, "start", "bytes");
    for (std::size_t i = 0; i < kColours.size(); ++i) {
        const double y = kTop + 20 + 22 * static_cast<double>(i);
        const std::size_t colour = kColours.size() - 1 - i;
        const int shift = std::max(
            static_cast<int>(std::bit_width(largest_bytes)) - 2 - 2 * static_cast<int>(i), 0);
        const std::uint64_t least_bytes = colour == 0 ? 0 : std::uint64_t{1} << shift;
        svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"14\" fill=\"{}\"/>\n",
                           left,
                           y,
                           kColours[colour]);
        svg += text_at(left + 20, y + 12, "start", fmt::format("from {}", least_bytes));
    }
    const double y = kTop + 50 + 22 * static_cast<double>(kColours.size());
    svg += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"#1a1a1a\" "
        "stroke-width=\"2\" stroke-dasharray=\"6 4\"/>\n",
        left,
        left + 16,
        y);
    return svg + text_at(left + 20, y + 4, "start", "lower bound");
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
    const Frame frame(buffers, plan);
    std::uint64_t largest_bytes = 1;
    for (const PlanBuffer& buffer : buffers) {
        largest_bytes = std::max(largest_bytes, buffer.size_bytes);
    }
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
        "{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
        kWidth,
        kHeight);
    svg += fmt::format("<text x=\"{}\" y=\"28\" font-size=\"16\">{}</text>\n",
                       kLeft,
                       title_of(buffers.size(), plan));
    svg += "<g stroke=\"#404040\" stroke-width=\"0.4\">\n";
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        svg += draw_buffer(frame,
                           ids[i],
                           buffers[i],
                           plan.offsets[i],
                           kColours[class_of(buffers[i].size_bytes, largest_bytes)]);
    }
    svg += "</g>\n";
    svg += draw_axes(frame, plan);
    svg += draw_line(frame.y(plan.lower_bound_bytes), "#1a1a1a", "6 4");
    svg += draw_legend(largest_bytes);
    return svg + "</svg>\n";
}

}  // namespace pumice::command
