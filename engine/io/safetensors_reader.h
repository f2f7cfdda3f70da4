// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace pumice::io {

/// A text for an error, cut where it gets long.
std::string shown(std::string_view text);

/// A shape for an error, likewise.
std::string shown(const std::vector<std::uint64_t>& shape);

/// One tensor of a header before it is checked.
struct RawEntry {
    std::string name;
    std::optional<std::string> dtype;
    std::optional<std::vector<std::uint64_t>> shape;
    std::optional<std::vector<std::uint64_t>> offsets;
};

/// Takes a header's JSON event by event (nlohmann's SAX interface), so that nothing is built but
/// what the format knows: forged nesting or repetition costs no more than reading it.
///
/// Keys that the format does not know are skipped with their values, as its own reader does. A key
/// twice in one object is refused everywhere, as the format says. Its functions throw FileError.
class HeaderReader {
public:
    using Json = nlohmann::json;

    /// `path` is for error texts.
    explicit HeaderReader(const std::string& path) : path_(path) {}

    std::vector<RawEntry> entries;
    std::map<std::string, std::string> metadata;

    bool null() { return other_scalar("null"); }

    bool boolean(bool value) { return other_scalar(value ? "true" : "false"); }

    bool number_integer(std::int64_t value) { return other_scalar(std::to_string(value)); }

    bool number_float(double /*value*/, const std::string& text) { return other_scalar(text); }

    bool number_unsigned(std::uint64_t value);
    bool string(std::string& value);
    bool key(std::string& value);
    bool start_object(std::size_t count);
    bool start_array(std::size_t count);

    bool end_object() { return close(true); }

    bool end_array() { return close(false); }

    /// Never called for text.
    bool binary(Json::binary_t& /*value*/) { return false; }

    /// Ends the parse; `what` is left to the caller.
    bool parse_error(std::size_t position,
                     const std::string& /*token*/,
                     const Json::exception& /*error*/) {
        error_position = position;
        return false;
    }

    std::size_t error_position = 0;

private:
    /// What the next value is.
    enum class Place : std::uint8_t {
        kHeader,
        kMember,    ///< __metadata__ or a tensor
        kMetadata,  ///< one text of it
        kProperty,  ///< of a tensor
        kNumber,    ///< of a shape or the offsets
        kSkipped,
    };

    bool other_scalar(const std::string& text);
    bool open(Place inner, bool is_object);
    bool close(bool is_object);
    std::optional<std::vector<std::uint64_t>>* list_of(const std::string& property);
    [[noreturn]] void refuse(const std::string& text) const;
    /// The value does not fit its place.
    [[noreturn]] void refuse_value(const std::string& text) const;

    const std::string& path_;
    Place place_ = Place::kHeader;
    std::vector<Place> outer_;                           ///< where a closing bracket leads back to
    std::vector<std::unordered_set<std::string>> keys_;  ///< of the objects that are open
    std::string key_;                                    ///< the last one
    std::vector<std::uint64_t>* numbers_ = nullptr;      ///< the list that is being read
};

}  // namespace pumice::io
