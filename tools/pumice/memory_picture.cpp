// SPDX-License-Identifier: Apache-2.0
#include "memory_picture.h"

#include "svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace pumice::command {

namespace {

// In pixels.
constexpr double kWidth = 1250.0;
constexpr double kHeight = 800.0;
constexpr svg::Box kCurveBox = {
    .left = 90.0, .top = 50.0, .right = kWidth - 240.0, .bottom = 220.0};
constexpr svg::Box kMapBox = {.left = 90.0, .top = 270.0, .right = kWidth - 240.0, .bottom = 750.0};

// Light, because labels are written on them.
constexpr std::array<const char*, 12> kColours = {"#8fbbdc",
                                                  "#f6bf7c",
                                                  "#96cfa0",
                                                  "#e79a98",
                                                  "#c0acdf",
                                                  "#e3d07f",
                                                  "#86d0ca",
                                                  "#ecb0d4",
                                                  "#c4dc83",
                                                  "#d0a88a",
                                                  "#a3b1e0",
                                                  "#b7d4c4"};
constexpr const char* kOther = "#d4d4d4";
constexpr const char* kLive = "#c9dcec";
constexpr const char* kNeeded = "#2f6f9f";
constexpr const char* kBound = "#1a1a1a";
constexpr const char* kDashes = "6 4";

std::string short_bytes(std::uint64_t bytes) {
    static constexpr std::array<const char*, 4> kUnits = {"B", "KiB", "MiB", "GiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024.0 && unit + 1 < kUnits.size(); ++unit) {
        value /= 1024.0;
    }
    return fmt::format("{:.{}f} {}", value, unit == 0 || value >= 100.0 ? 0 : 1, kUnits[unit]);
}

// The addresses of one buffer that tenants had, laid on a common axis.
struct Band {
    std::uint64_t lowest_bytes = UINT64_MAX;
    std::uint64_t end_bytes = 0;
    std::uint64_t base_bytes = 0;  ///< of its lowest address, on the axis

    [[nodiscard]] std::uint64_t height_bytes() const { return end_bytes - lowest_bytes; }
};

struct Axis {
    std::map<std::uint64_t, Band> bands;  ///< by buffer
    std::uint64_t height_bytes = 0;
};

Axis axis_of(const TracedMemory& memory) {
    Axis axis;
    std::uint64_t sum_bytes = 0;
    for (const TracedTenant& tenant : memory.tenants) {
        Band& band = axis.bands[tenant.buffer];
        band.lowest_bytes = std::min(band.lowest_bytes, tenant.offset_bytes);
        band.end_bytes = std::max(band.end_bytes, tenant.offset_bytes + tenant.size_bytes);
    }
    for (const auto& [buffer, band] : axis.bands) {
        sum_bytes += band.height_bytes();
    }
    const std::uint64_t gap_bytes = sum_bytes / 50;
    for (auto& [buffer, band] : axis.bands) {
        band.base_bytes = axis.height_bytes + (axis.height_bytes == 0 ? 0 : gap_bytes);
        axis.height_bytes = band.base_bytes + band.height_bytes();
    }
    return axis;
}

// Operators by the area of their tenants; those past the last colour share one.
std::vector<std::string> ops_by_area(const TracedMemory& memory) {
    std::map<std::string, double> areas;
    for (const TracedTenant& tenant : memory.tenants) {
        if (tenant.end_step > tenant.first_step) {
            areas[tenant.op] += static_cast<double>(tenant.size_bytes) *
                                static_cast<double>(tenant.end_step - tenant.first_step);
        }
    }
    std::vector<std::string> ops;
    ops.reserve(areas.size());
    for (const auto& [op, area] : areas) {
        ops.push_back(op);
    }
    std::stable_sort(ops.begin(), ops.end(), [&](const std::string& a, const std::string& b) {
        return areas.at(a) > areas.at(b);
    });
    return ops;
}

std::string colour_of(const std::vector<std::string>& ops, const std::string& op) {
    const auto index =
        static_cast<std::size_t>(std::find(ops.begin(), ops.end(), op) - ops.begin());
    return index < kColours.size() ? kColours[index] : kOther;
}

// A value a step, as a line of stairs.
std::string stairs(const svg::Frame& frame, const std::vector<std::uint64_t>& bytes) {
    std::string path;
    for (std::size_t step = 0; step < bytes.size(); ++step) {
        const auto at = static_cast<std::int64_t>(step);
        path += fmt::format("{}{:.2f},{:.2f} H{:.2f} ",
                            step == 0 ? "M" : "L",
                            frame.x(at),
                            frame.y(bytes[step]),
                            frame.x(at + 1));
    }
    return path;
}

std::string draw_curve(const TracedMemory& memory, std::uint64_t lower_bound_bytes) {
    const std::uint64_t peak_bytes = memory.live_bytes[memory.peak_step];
    const svg::Frame frame(kCurveBox,
                           0,
                           static_cast<std::int64_t>(memory.live_bytes.size()),
                           std::max(peak_bytes, lower_bound_bytes));
    std::string content = fmt::format("<path d=\"{}V{:.2f} H{:.2f} Z\" fill=\"{}\"/>\n",
                                      stairs(frame, memory.live_bytes),
                                      frame.y(0),
                                      frame.x(0),
                                      kLive);
    content += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\"/>\n",
                           stairs(frame, memory.needed_bytes),
                           kNeeded);
    content += svg::line_at(frame, lower_bound_bytes, kBound, kDashes);
    content += svg::draw_border(frame);
    content += svg::text_at(kCurveBox.left - 8, kCurveBox.bottom + 4, "end", "0");
    content +=
        svg::text_at(kCurveBox.left - 8, frame.y(peak_bytes) + 4, "end", short_bytes(peak_bytes));
    content += svg::text_at(
        kCurveBox.left - 8, (kCurveBox.top + kCurveBox.bottom) / 2 + 4, "end", "bytes");
    const double left = kCurveBox.right + 16;
    content += svg::square_entry(left, kCurveBox.top, kLive, "live");
    content += svg::line_entry(left, kCurveBox.top + 32, kNeeded, "", "needed");
    return content + svg::line_entry(left, kCurveBox.top + 54, kBound, kDashes, "lower bound");
}

std::string draw_bands(const svg::Frame& frame, const Axis& axis) {
    std::string content;
    double last_y = kMapBox.bottom + 100;
    for (const auto& [buffer, band] : axis.bands) {
        const double bottom = frame.y(band.base_bytes);
        const double top = frame.y(band.base_bytes + band.height_bytes());
        content += fmt::format(
            "<rect x=\"{}\" y=\"{:.2f}\" width=\"{}\" height=\"{:.2f}\" fill=\"#f7f7f7\" "
            "stroke=\"#a0a0a0\" stroke-width=\"0.5\"/>\n",
            kMapBox.left,
            top,
            kMapBox.right - kMapBox.left,
            bottom - top);
        const double y = std::min((top + bottom) / 2, kMapBox.bottom - 14);
        if (last_y - y > 30) {  // else there is no room
            last_y = y;
            content +=
                svg::text_at(kMapBox.left - 8, last_y - 3, "end", fmt::format("buffer {}", buffer));
            content += svg::text_at(
                kMapBox.left - 8, last_y + 11, "end", short_bytes(band.height_bytes()));
        }
    }
    return content;
}

std::string draw_tenants(const svg::Frame& frame,
                         const Axis& axis,
                         const TracedMemory& memory,
                         const std::vector<std::string>& ops) {
    std::string content = "<g stroke=\"#505050\" stroke-width=\"0.4\">\n";
    for (const TracedTenant& tenant : memory.tenants) {
        if (tenant.end_step > tenant.first_step) {
            const Band& band = axis.bands.at(tenant.buffer);
            content += svg::draw(
                frame,
                {.lower = static_cast<std::int64_t>(tenant.first_step),
                 .upper = static_cast<std::int64_t>(tenant.end_step),
                 .offset_bytes = band.base_bytes + tenant.offset_bytes - band.lowest_bytes,
                 .size_bytes = tenant.size_bytes,
                 .name = fmt::format("{} (storage {})", tenant.op, tenant.id),
                 .label = tenant.op,
                 .colour = colour_of(ops, tenant.op)});
        }
    }
    return content + "</g>\n";
}

std::string draw_legend(const std::vector<std::string>& ops) {
    const double left = kMapBox.right + 16;
    std::string content = svg::text_at(left, kMapBox.top + 10, "start", "written by");
    double y = kMapBox.top + 20;
    for (std::size_t i = 0; i < std::min(ops.size(), kColours.size()); ++i, y += 22) {
        content += svg::square_entry(left, y, kColours[i], ops[i]);
    }
    if (ops.size() > kColours.size()) {
        content += svg::square_entry(left, y, kOther, "others");
    }
    return content;
}

}  // namespace

std::string draw_memory_picture(const std::string& title,
                                const TracedMemory& memory,
                                std::uint64_t lower_bound_bytes) {
    const Axis axis = axis_of(memory);
    const std::vector<std::string> ops = ops_by_area(memory);
    const svg::Frame frame(
        kMapBox, 0, static_cast<std::int64_t>(memory.live_bytes.size()), axis.height_bytes);
    std::string content = draw_curve(memory, lower_bound_bytes);
    content += draw_bands(frame, axis);
    content += draw_tenants(frame, axis, memory, ops);
    content += svg::draw_border(frame);
    content +=
        svg::text_at((kMapBox.left + kMapBox.right) / 2, kMapBox.bottom + 36, "middle", "step");
    content += draw_legend(ops);
    return svg::document(kWidth, kHeight, title, std::move(content));
}

}  // namespace pumice::command
