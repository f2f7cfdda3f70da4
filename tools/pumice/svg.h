// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace pumice::command::svg {

/// A rectangle of the picture, in pixels.
struct Box {
    double left = 0.0;
    double top = 0.0;
    double right = 0.0;
    double bottom = 0.0;
};

/// Steps to the right and bytes upwards, as pixels of a box.
class Frame {
public:
    /// Steps from `first` to `end`, bytes from 0 to `most_bytes`; at least one of each.
    Frame(const Box& box, std::int64_t first, std::int64_t end, std::uint64_t most_bytes);

    [[nodiscard]] const Box& box() const { return box_; }

    [[nodiscard]] std::int64_t first() const { return first_; }

    [[nodiscard]] std::int64_t end() const { return end_; }

    [[nodiscard]] double x(std::int64_t step) const;
    [[nodiscard]] double y(std::uint64_t bytes) const;

private:
    Box box_;
    std::int64_t first_;
    std::int64_t end_;
    std::uint64_t most_bytes_;
};

/// A buffer while it lives, at its place.
struct Tenant {
    std::int64_t lower = 0;  ///< first step
    std::int64_t upper = 0;  ///< one past the last
    std::uint64_t offset_bytes = 0;
    std::uint64_t size_bytes = 0;
    std::string name;    ///< for who points at it
    std::string label;   ///< written into it where there is room; may be empty
    std::string colour;  ///< "#rrggbb"
};

/// Text with &, < and > written so that they may stand in an SVG.
std::string escaped(const std::string& text);
/// `anchor`: start, middle or end.
std::string text_at(double x, double y, const std::string& anchor, const std::string& text);
/// A level line through the frame.
std::string line_at(const Frame& frame,
                    std::uint64_t bytes,
                    const std::string& colour,
                    const std::string& dashes);
std::string draw(const Frame& frame, const Tenant& tenant);
/// The frame's border with its steps below.
std::string draw_border(const Frame& frame);
/// A legend's entries: a filled square, or a piece of a line, and its text.
std::string square_entry(double x, double y, const std::string& colour, const std::string& text);
std::string line_entry(double x,
                       double y,
                       const std::string& colour,
                       const std::string& dashes,
                       const std::string& text);
/// The whole file, with a title.
std::string document(double width, double height, const std::string& title, std::string content);

}  // namespace pumice::command::svg
