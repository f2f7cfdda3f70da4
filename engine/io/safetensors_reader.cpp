// SPDX-License-Identifier: Apache-2.0
// Which tensors of a file are read, and what of one that cannot be.
#include "io/safetensors_reader.h"

#include "pumice/error.h"

#include "io/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

namespace pumice::io {
namespace {

/// As deep as the format's own reader goes.
constexpr std::size_t kMostDepth = 128;

bool continues_character(char byte) noexcept {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

}  // namespace

std::string shown(std::string_view text) {
    constexpr std::size_t kMostBytes = 60;
    if (text.size() <= kMostBytes) {
        return std::string(text);
    }
    std::size_t end = kMostBytes;
    while (end > 0 && continues_character(text[end])) {
        --end;
    }
    return fmt::format("{}... ({} bytes)", text.substr(0, end), text.size());
}

std::string shown(const std::vector<std::uint64_t>& shape) {
    constexpr std::size_t kMostExtents = 10;
    if (shape.size() <= kMostExtents) {
        return fmt::format("[{}]", fmt::join(shape, ", "));
    }
    return fmt::format("[{}, ...] of {} extents",
                       fmt::join(std::span(shape).first(kMostExtents), ", "),
                       shape.size());
}

void HeaderReader::refuse(const std::string& text) const {
    throw FileError(path_, text);
}

void HeaderReader::refuse_value(const std::string& text) const {
    switch (place_) {
        case Place::kMember:
            if (key_ == kMetadataKey) {
                refuse(fmt::format("{} is not an object of strings, but {}", key_, shown(text)));
            }
            refuse(fmt::format("tensor '{}' lacks dtype, shape or a pair of data_offsets: it is {}",
                               shown(key_),
                               shown(text)));
        case Place::kMetadata:
            refuse(fmt::format("metadata '{}' is not a string, but {}", shown(key_), shown(text)));
        case Place::kProperty:
            refuse(fmt::format("tensor '{}': {} cannot be {}",
                               shown(entries.back().name),
                               shown(key_),
                               shown(text)));
        case Place::kNumber:
            refuse(fmt::format(
                "tensor '{}': wanted a count, got {}", shown(entries.back().name), shown(text)));
        default: refuse("its header is not a JSON object");
    }
}

std::optional<std::vector<std::uint64_t>>* HeaderReader::list_of(const std::string& property) {
    if (property == "shape") {
        return &entries.back().shape;
    }
    return property == "data_offsets" ? &entries.back().offsets : nullptr;
}

bool HeaderReader::other_scalar(const std::string& text) {
    const bool is_unknown =
        place_ == Place::kProperty && key_ != "dtype" && list_of(key_) == nullptr;
    if (place_ != Place::kSkipped && !is_unknown) {
        refuse_value(text);
    }
    return true;
}

bool HeaderReader::number_unsigned(std::uint64_t value) {
    if (place_ != Place::kNumber) {
        return other_scalar(std::to_string(value));
    }
    numbers_->push_back(value);
    return true;
}

bool HeaderReader::string(std::string& value) {
    if (place_ == Place::kMetadata) {
        metadata[key_] = std::move(value);
    } else if (place_ == Place::kProperty && key_ == "dtype") {
        entries.back().dtype = std::move(value);
    } else {
        other_scalar('"' + value + '"');
    }
    return true;
}

bool HeaderReader::key(std::string& value) {
    if (!keys_.back().insert(value).second) {
        refuse(fmt::format("its header names '{}' twice", shown(value)));
    }
    key_ = std::move(value);
    return true;
}

bool HeaderReader::start_object(std::size_t /*count*/) {
    switch (place_) {
        case Place::kHeader: return open(Place::kMember, true);
        case Place::kMember:
            if (key_ == kMetadataKey) {
                return open(Place::kMetadata, true);
            }
            entries.push_back({.name = key_, .dtype = {}, .shape = {}, .offsets = {}});
            return open(Place::kProperty, true);
        default: other_scalar("an object"); return open(Place::kSkipped, true);
    }
}

bool HeaderReader::start_array(std::size_t /*count*/) {
    auto* const list = place_ == Place::kProperty ? list_of(key_) : nullptr;
    if (list != nullptr) {
        numbers_ = &list->emplace();
        return open(Place::kNumber, false);
    }
    other_scalar("a list");
    return open(Place::kSkipped, false);
}

bool HeaderReader::open(Place inner, bool is_object) {
    if (outer_.size() == kMostDepth) {
        refuse(fmt::format("its header nests more than {} deep", kMostDepth));
    }
    outer_.push_back(place_);
    place_ = inner;
    if (is_object) {
        keys_.emplace_back();
    }
    return true;
}

bool HeaderReader::close(bool is_object) {
    place_ = outer_.back();
    outer_.pop_back();
    if (is_object) {
        keys_.pop_back();
    }
    return true;
}

}  // namespace pumice::io
