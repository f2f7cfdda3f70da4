// SPDX-License-Identifier: Apache-2.0
#include "svg.h"

#include <fmt/format.h>

#include <algorithm>

namespace pumice::command::svg {

namespace {

constexpr double kLetterWidth = 6.2;  // of the label's font, on average
constexpr double kLabelHeight = 11.0;

std::string draw_label(const Tenant& tenant, double left, double top, double width, double height) {
    const double wanted_width = kLetterWidth * static_cast<double>(tenant.label.size()) + 4.0;
    if (tenant.label.empty() || wanted_width > width || height < kLabelHeight) {
        return "";
    }
    return fmt::format(
        "<text x=\"{:.2f}\" y=\"{:.2f}\" text-anchor=\"middle\" font-size=\"10\" stroke=\"none\" "
        "pointer-events=\"none\">{}</text>\n",
        left + width / 2,
        top + height / 2 + 3.5,
        escaped(tenant.label));
}

}  // namespace

Frame::Frame(const Box& box, std::int64_t first, std::int64_t end, std::uint64_t most_bytes)
    : box_(box),
      first_(first),
      end_(std::max(end, first + 1)),
      most_bytes_(std::max<std::uint64_t>(most_bytes, 1)) {}

double Frame::x(std::int64_t step) const {
    const double part = (static_cast<double>(step) - static_cast<double>(first_)) /
                        (static_cast<double>(end_) - static_cast<double>(first_));
    return box_.left + (box_.right - box_.left) * part;
}

double Frame::y(std::uint64_t bytes) const {
    const double part = static_cast<double>(bytes) / static_cast<double>(most_bytes_);
    return box_.bottom - (box_.bottom - box_.top) * part;
}

std::string escaped(const std::string& text) {
    std::string safe;
    for (const char letter : text) {
        switch (letter) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            default: safe += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
        }
    }
    return safe;
}

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                       x,
                       y,
                       anchor,
                       escaped(text));
}

std::string line_at(const Frame& frame,
                    std::uint64_t bytes,
                    const std::string& colour,
                    const std::string& dashes) {
    return fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.2f}\" y2=\"{2:.2f}\" stroke=\"{3}\" "
        "stroke-width=\"2\" stroke-dasharray=\"{4}\"/>\n",
        frame.box().left,
        frame.box().right,
        frame.y(bytes),
        colour,
        dashes);
}

std::string draw(const Frame& frame, const Tenant& tenant) {
    const double left = frame.x(tenant.lower);
    const double top = frame.y(tenant.offset_bytes + tenant.size_bytes);
    const double width = frame.x(tenant.upper) - left;
    const double height = frame.y(tenant.offset_bytes) - top;
    return fmt::format(
               "<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\">"
               "<title>{}: [{}, {}), {} bytes at {}</title></rect>\n",
               left,
               top,
               width,
               height,
               tenant.colour,
               escaped(tenant.name),
               tenant.lower,
               tenant.upper,
               tenant.size_bytes,
               tenant.offset_bytes) +
           draw_label(tenant, left, top, width, height);
}

std::string draw_border(const Frame& frame) {
    const Box& box = frame.box();
    return fmt::format(
               "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" "
               "stroke=\"#404040\"/>\n",
               box.left,
               box.top,
               box.right - box.left,
               box.bottom - box.top) +
           text_at(box.left, box.bottom + 18, "middle", fmt::format("{}", frame.first())) +
           text_at(box.right, box.bottom + 18, "middle", fmt::format("{}", frame.end()));
}

std::string square_entry(double x, double y, const std::string& colour, const std::string& text) {
    return fmt::format(
               "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"14\" fill=\"{}\"/>\n", x, y, colour) +
           text_at(x + 20, y + 12, "start", text);
}

std::string line_entry(double x,
                       double y,
                       const std::string& colour,
                       const std::string& dashes,
                       const std::string& text) {
    return fmt::format(
               "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"{3}\" "
               "stroke-width=\"2\" stroke-dasharray=\"{4}\"/>\n",
               x,
               x + 16,
               y,
               colour,
               dashes) +
           text_at(x + 20, y + 4, "start", text);
}

std::string document(double width, double height, const std::string& title, std::string content) {
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
               "viewBox=\"0 0 {0} {1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
               "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
               "<text x=\"90\" y=\"28\" font-size=\"16\">{2}</text>\n",
               width,
               height,
               escaped(title)) +
           std::move(content) + "</svg>\n";
}

}  // namespace pumice::command::svg
