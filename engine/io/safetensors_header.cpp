// SPDX-License-Identifier: Apache-2.0
// What a safetensors header may be, and what is said of one that is not.
#include "io/safetensors_header.h"

#include "pumice/error.h"

#include "io/safetensors_reader.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

namespace pumice::io {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMostElements = std::numeric_limits<std::int32_t>::max();

/// A dtype of the format; `dtype` is empty where Pumice has no such tensors.
struct FormatDType {
    std::string_view code;
    std::uint64_t bits;
    std::optional<HostDType> dtype;
};

constexpr std::array<FormatDType, 21> kDTypes = {{
    {"F32", 32, HostDType::kF32},
    {"F16", 16, HostDType::kF16},
    {"BF16", 16, HostDType::kBF16},
    {"I32", 32, HostDType::kI32},
    {"I8", 8, HostDType::kI8},
    {"U8", 8, HostDType::kU8},
    {"BOOL", 8, HostDType::kBoolean},
    {"F64", 64, HostDType::kF64},
    {"I64", 64, HostDType::kI64},
    {"I16", 16, {}},
    {"U16", 16, {}},
    {"U32", 32, {}},
    {"U64", 64, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E5M2", 8, {}},
    {"F8_E8M0", 8, {}},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"C64", 64, {}},
    {"C128", 128, {}},
}};

const FormatDType* find_dtype(std::string_view code) noexcept {
    const auto* const found = std::find_if(
        kDTypes.begin(), kDTypes.end(), [code](const auto& row) { return row.code == code; });
    return found == kDTypes.end() ? nullptr : found;
}

bool is_utf8(std::string_view text) {
    try {
        // The writer refuses what is not UTF-8, which makes it the measure.
        static_cast<void>(Json(std::string(text)).dump());
        return true;
    } catch (const Json::type_error&) {
        return false;
    }
}

std::uint64_t read_length(const std::string& path, std::string_view file) {
    if (file.size() < kLengthBytes) {
        throw FileError(
            path, fmt::format("has {} bytes, a safetensors file has at least 8", file.size()));
    }
    std::uint64_t length = 0;
    for (std::size_t i = kLengthBytes; i-- > 0;) {
        length = length << 8U | static_cast<unsigned char>(file[i]);
    }
    if (length > file.size() - kLengthBytes) {
        throw FileError(
            path,
            fmt::format(
                "its header claims {} bytes, {} are there", length, file.size() - kLengthBytes));
    }
    if (length > kMostHeaderBytes) {
        throw FileError(
            path,
            fmt::format(
                "its header claims {} bytes, the format allows {}", length, kMostHeaderBytes));
    }
    return length;
}

HeaderReader read_json(const std::string& path, std::string_view text) {
    if (!text.starts_with('{')) {
        throw FileError(path, "its header is not a JSON object: it does not begin with {");
    }
    // The parser takes a zero byte for the end.
    if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
        throw FileError(path,
                        fmt::format("its header is not a JSON object: byte {} of it is zero", at));
    }
    HeaderReader reader(path);
    if (!Json::sax_parse(text.begin(), text.end(), &reader)) {
        if (!is_utf8(text)) {
            throw FileError(path, "its header is not UTF-8");
        }
        throw FileError(path,
                        fmt::format("its header is not a JSON object: an error at byte {} of it",
                                    reader.error_position));
    }
    return reader;
}

std::uint64_t multiply(const std::string& path,
                       const RawEntry& raw,
                       std::uint64_t a,
                       std::uint64_t b) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product)) {
        throw FileError(path,
                        fmt::format("tensor '{}' has the shape {}, more than 2^64 bits",
                                    shown(raw.name),
                                    shown(*raw.shape)));
    }
    return product;
}

std::uint64_t element_count(const std::string& path, const RawEntry& raw) {
    std::uint64_t count = 1;
    for (const std::uint64_t extent : *raw.shape) {
        count = multiply(path, raw, count, extent);
    }
    return count;
}

// Why the tensor cannot be had, or nothing.
std::string refusal_of(const RawEntry& raw, const FormatDType* dtype, std::uint64_t count) {
    if (dtype == nullptr || !dtype->dtype) {
        return fmt::format(
            "Pumice has no dtype {}; it reads F32, F16, BF16, I32, I8, U8, BOOL, F64 and I64",
            shown(*raw.dtype));
    }
    const bool is_extent_large =
        std::any_of(raw.shape->begin(), raw.shape->end(), [](std::uint64_t extent) {
            return extent > kMostElements;
        });
    if (raw.shape->size() > kMaxDims || count > kMostElements || is_extent_large) {
        return fmt::format(
            "it has the shape {}; Pumice's tensors have at most {} dimensions and {} elements",
            shown(*raw.shape),
            kMaxDims,
            kMostElements);
    }
    return {};
}

void check_byte_count(const std::string& path,
                      const RawEntry& raw,
                      const FormatDType& dtype,
                      std::uint64_t count) {
    const std::uint64_t bits = multiply(path, raw, count, dtype.bits);
    const std::uint64_t begin = (*raw.offsets)[0];
    const std::uint64_t end = (*raw.offsets)[1];
    if (bits % 8 != 0 || end - begin != bits / 8) {
        throw FileError(path,
                        fmt::format("tensor '{}' has the offsets [{}, {}), its dtype and shape "
                                    "want {} bytes",
                                    shown(raw.name),
                                    begin,
                                    end,
                                    static_cast<double>(bits) / 8));
    }
}

SafetensorsEntry make_entry(const std::string& path, RawEntry& raw) {
    if (!raw.dtype || !raw.shape || !raw.offsets || raw.offsets->size() != 2) {
        throw FileError(path,
                        fmt::format("tensor '{}' lacks dtype, shape or a pair of data_offsets",
                                    shown(raw.name)));
    }
    SafetensorsEntry entry;
    entry.begin_bytes = (*raw.offsets)[0];
    entry.end_bytes = (*raw.offsets)[1];
    if (entry.end_bytes < entry.begin_bytes) {
        throw FileError(path,
                        fmt::format("tensor '{}' has the offsets [{}, {})",
                                    shown(raw.name),
                                    entry.begin_bytes,
                                    entry.end_bytes));
    }
    const FormatDType* const dtype = find_dtype(*raw.dtype);
    const std::uint64_t count = element_count(path, raw);
    if (dtype != nullptr) {
        check_byte_count(path, raw, *dtype, count);
    }
    entry.refusal = refusal_of(raw, dtype, count);
    if (entry.refusal.empty()) {
        entry.dtype = *dtype->dtype;
        for (const std::uint64_t extent : *raw.shape) {
            entry.sizes.push_back(static_cast<std::int64_t>(extent));
        }
    }
    entry.name = std::move(raw.name);
    entry.dtype_name = *std::move(raw.dtype);
    entry.shape = *std::move(raw.shape);
    return entry;
}

// The data section must be covered without overlap and without holes.
void check_places(const std::string& path,
                  std::vector<SafetensorsEntry>& entries,
                  std::uint64_t data_bytes) {
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::pair(a.begin_bytes, a.end_bytes) < std::pair(b.begin_bytes, b.end_bytes);
    });
    std::uint64_t end = 0;
    for (const SafetensorsEntry& entry : entries) {
        if (entry.end_bytes > data_bytes) {
            throw FileError(path,
                            fmt::format("tensor '{}' ends at byte {}, the data has {} (truncated?)",
                                        shown(entry.name),
                                        entry.end_bytes,
                                        data_bytes));
        }
        if (entry.begin_bytes != end) {
            throw FileError(path,
                            fmt::format("tensor '{}' begins at byte {}, wanted {}: offsets {}",
                                        shown(entry.name),
                                        entry.begin_bytes,
                                        end,
                                        entry.begin_bytes < end ? "overlap" : "leave a hole"));
        }
        end = entry.end_bytes;
    }
    if (end != data_bytes) {
        throw FileError(path, fmt::format("has {} bytes after its last tensor", data_bytes - end));
    }
}

bool is_floating(const SafetensorsEntry& entry) {
    const HostDType dtype = entry.dtype;
    return entry.refusal.empty() && (dtype == HostDType::kF32 || dtype == HostDType::kF16 ||
                                     dtype == HostDType::kBF16 || dtype == HostDType::kF64);
}

// Moves the names under kRequiresGradKey from the metadata into the entries.
// A flat list of strings and nothing else, event by event: forged nesting ends it.
class NameList final : public nlohmann::json_sax<Json> {
public:
    std::vector<std::string> names;

    bool start_array(std::size_t /*count*/) override { return !std::exchange(is_open_, true); }

    bool end_array() override { return true; }

    bool string(std::string& value) override {
        names.push_back(std::move(value));
        return is_open_;
    }

    bool null() override { return false; }

    bool boolean(bool /*value*/) override { return false; }

    bool number_integer(std::int64_t /*value*/) override { return false; }

    bool number_unsigned(std::uint64_t /*value*/) override { return false; }

    bool number_float(double /*value*/, const std::string& /*text*/) override { return false; }

    bool binary(Json::binary_t& /*value*/) override { return false; }

    bool start_object(std::size_t /*count*/) override { return false; }

    bool key(std::string& /*value*/) override { return false; }

    bool end_object() override { return false; }

    bool parse_error(std::size_t /*position*/,
                     const std::string& /*last_token*/,
                     const nlohmann::detail::exception& /*error*/) override {
        return false;
    }

private:
    bool is_open_ = false;
};

void take_tracked(const std::string& path, SafetensorsHeader& header) {
    const auto found = header.metadata.find(kRequiresGradKey);
    if (found == header.metadata.end()) {
        return;
    }
    NameList list;
    bool fits = Json::sax_parse(found->second, &list);
    for (std::size_t i = 0; fits && i < list.names.size(); ++i) {
        const auto index = header.index_of.find(list.names[i]);
        fits = index != header.index_of.end() && is_floating(header.entries[index->second]);
        if (fits) {
            header.entries[index->second].requires_grad = true;
        }
    }
    if (!fits) {
        throw FileError(path,
                        fmt::format("metadata '{}' is not a list of its floating tensors, but {}",
                                    kRequiresGradKey,
                                    shown(found->second)));
    }
    header.metadata.erase(found);
}

std::map<std::string, std::string> with_tracked(const std::vector<SafetensorsEntry>& entries,
                                                std::map<std::string, std::string> metadata) {
    Json names = Json::array();
    for (const SafetensorsEntry& entry : entries) {
        if (entry.requires_grad) {
            names.push_back(entry.name);
        }
    }
    if (!names.empty()) {
        metadata[kRequiresGradKey] = names.dump();
    }
    return metadata;
}

}  // namespace

SafetensorsHeader parse_header(const std::string& path, std::string_view file) {
    const std::uint64_t length = read_length(path, file);
    HeaderReader json = read_json(path, file.substr(kLengthBytes, length));
    SafetensorsHeader header;
    header.data_begin_bytes = kLengthBytes + length;
    header.metadata = std::move(json.metadata);
    for (RawEntry& raw : json.entries) {
        header.entries.push_back(make_entry(path, raw));
    }
    check_places(path, header.entries, file.size() - header.data_begin_bytes);
    for (std::size_t i = 0; i < header.entries.size(); ++i) {
        header.index_of.emplace(header.entries[i].name, i);
    }
    take_tracked(path, header);
    return header;
}

void check_text(const std::string& path, std::string_view what, const std::string& text) {
    if (!is_utf8(text)) {
        throw ArgumentError(
            path,
            fmt::format("{} {} is not UTF-8",
                        what,
                        Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)));
    }
}

std::string write_header(const std::string& path,
                         const std::vector<SafetensorsEntry>& entries,
                         const std::map<std::string, std::string>& metadata) {
    // In order, one by one: a JSON object that keeps its order would look for each name.
    std::string text = "{";
    const auto add = [&text](const std::string& key, const Json& value) {
        text += fmt::format("{}{}:{}", text.size() > 1 ? "," : "", Json(key).dump(), value.dump());
    };
    if (const auto all = with_tracked(entries, metadata); !all.empty()) {
        add(kMetadataKey, all);
    }
    for (const SafetensorsEntry& entry : entries) {
        const auto* const row = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const auto& each) {
            return each.dtype == entry.dtype;
        });
        add(entry.name,
            {{"dtype", row->code},
             {"shape", std::vector<std::int64_t>(entry.sizes.begin(), entry.sizes.end())},
             {"data_offsets", {entry.begin_bytes, entry.end_bytes}}});
    }
    text += "}";
    text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
    if (text.size() > kMostHeaderBytes) {
        throw FileError(path,
                        fmt::format("cannot be written: its header would have {} bytes, the format "
                                    "allows {}",
                                    text.size(),
                                    kMostHeaderBytes));
    }
    std::string bytes(kLengthBytes, '\0');
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        bytes[i] = static_cast<char>(text.size() >> (8 * i) & 0xffU);
    }
    return bytes + text;
}

}  // namespace pumice::io
