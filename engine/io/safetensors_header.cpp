// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors_header.h"

#include "pumice/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <set>

namespace pumice::io {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLengthBytes = 8;
constexpr const char* kMetadataKey = "__metadata__";

constexpr std::array<std::pair<std::string_view, HostDType>, 9> kDTypes = {{
    {"F32", HostDType::kF32},
    {"F16", HostDType::kF16},
    {"BF16", HostDType::kBF16},
    {"I32", HostDType::kI32},
    {"I8", HostDType::kI8},
    {"U8", HostDType::kU8},
    {"BOOL", HostDType::kBoolean},
    {"F64", HostDType::kF64},
    {"I64", HostDType::kI64},
}};

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
    return length;
}

// The parser keeps the last of two equal keys, so they are looked for while it reads.
Json parse_json(const std::string& path, std::string_view text) {
    std::set<std::string> names;
    std::string duplicate;
    const auto note_key = [&](int depth, Json::parse_event_t event, Json& key) {
        if (event == Json::parse_event_t::key && depth == 1 &&
            !names.insert(key.get<std::string>()).second) {
            duplicate = key.get<std::string>();
        }
        return true;
    };
    Json json = Json::parse(text.begin(), text.end(), note_key, false);
    if (json.is_discarded() && !is_utf8(text)) {
        throw FileError(path, "its header is not UTF-8");
    }
    if (json.is_discarded() || !json.is_object()) {
        throw FileError(path, "its header is not a JSON object");
    }
    if (!duplicate.empty()) {
        throw FileError(path, fmt::format("its header names '{}' twice", duplicate));
    }
    return json;
}

HostDType parse_dtype(const std::string& path, const std::string& name, const Json& json) {
    const std::string text = json.is_string() ? json.get<std::string>() : json.dump();
    for (const auto& [code, dtype] : kDTypes) {
        if (code == text) {
            return dtype;
        }
    }
    throw FileError(
        path,
        fmt::format("tensor '{}' has the unknown dtype {}; known are F32, F16, BF16, I32, I8, U8, "
                    "BOOL, F64 and I64",
                    name,
                    text));
}

std::uint64_t parse_count(const std::string& path, const std::string& name, const Json& json) {
    if (!json.is_number_unsigned()) {
        throw FileError(path,
                        fmt::format("tensor '{}': wanted a count, got {}", name, json.dump()));
    }
    return json.get<std::uint64_t>();
}

Dims parse_shape(const std::string& path, const std::string& name, const Json& json) {
    if (!json.is_array() || json.size() > kMaxDims) {
        throw FileError(path,
                        fmt::format("tensor '{}': wanted a shape of at most {} extents, got {}",
                                    name,
                                    kMaxDims,
                                    json.dump()));
    }
    Dims sizes;
    // Forged extents must not overflow the element count.
    std::uint64_t count = 1;
    for (const Json& extent : json) {
        const std::uint64_t value = parse_count(path, name, extent);
        const std::uint64_t limit = std::numeric_limits<std::int32_t>::max();
        if (value > limit || (value != 0 && count > limit / value)) {
            throw FileError(path,
                            fmt::format("tensor '{}' has the shape {}, more than {} elements",
                                        name,
                                        json.dump(),
                                        limit));
        }
        count *= value;
        sizes.push_back(static_cast<std::int64_t>(value));
    }
    return sizes;
}

SafetensorsEntry parse_entry(const std::string& path, const std::string& name, const Json& json) {
    if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
        !json.contains("data_offsets") || !json["data_offsets"].is_array() ||
        json["data_offsets"].size() != 2) {
        throw FileError(
            path, fmt::format("tensor '{}' lacks dtype, shape or a pair of data_offsets", name));
    }
    SafetensorsEntry entry{.name = name,
                           .dtype = parse_dtype(path, name, json["dtype"]),
                           .sizes = parse_shape(path, name, json["shape"]),
                           .begin_bytes = parse_count(path, name, json["data_offsets"][0]),
                           .end_bytes = parse_count(path, name, json["data_offsets"][1])};
    const std::uint64_t wanted =
        static_cast<std::uint64_t>(numel(entry.sizes)) * host_itemsize(entry.dtype);
    if (entry.end_bytes < entry.begin_bytes || entry.end_bytes - entry.begin_bytes != wanted) {
        throw FileError(path,
                        fmt::format("tensor '{}' has the offsets [{}, {}), its dtype and shape "
                                    "want {} bytes",
                                    name,
                                    entry.begin_bytes,
                                    entry.end_bytes,
                                    wanted));
    }
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
                                        entry.name,
                                        entry.end_bytes,
                                        data_bytes));
        }
        if (entry.begin_bytes != end) {
            throw FileError(path,
                            fmt::format("tensor '{}' begins at byte {}, wanted {}: offsets {}",
                                        entry.name,
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

bool is_floating(HostDType dtype) {
    return dtype == HostDType::kF32 || dtype == HostDType::kF16 || dtype == HostDType::kBF16 ||
           dtype == HostDType::kF64;
}

// Moves the names under kRequiresGradKey from the metadata into the entries.
void take_tracked(const std::string& path, SafetensorsHeader& header) {
    const auto found = header.metadata.find(kRequiresGradKey);
    if (found == header.metadata.end()) {
        return;
    }
    const Json names = Json::parse(found->second, nullptr, false);
    bool fits = names.is_array();
    for (std::size_t i = 0; fits && i < names.size(); ++i) {
        const auto entry = std::find_if(
            header.entries.begin(), header.entries.end(), [&](const SafetensorsEntry& each) {
                return names[i] == each.name && is_floating(each.dtype);
            });
        fits = entry != header.entries.end();
        if (fits) {
            entry->requires_grad = true;
        }
    }
    if (!fits) {
        throw FileError(path,
                        fmt::format("metadata '{}' is not a list of its floating tensors, but {}",
                                    kRequiresGradKey,
                                    found->second));
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
    const Json json = parse_json(path, file.substr(kLengthBytes, length));
    SafetensorsHeader header;
    header.data_begin_bytes = kLengthBytes + length;
    for (const auto& [name, value] : json.items()) {
        if (name != kMetadataKey) {
            header.entries.push_back(parse_entry(path, name, value));
            continue;
        }
        if (!value.is_object()) {
            throw FileError(
                path,
                fmt::format("{} is not an object of strings, but {}", kMetadataKey, value.dump()));
        }
        for (const auto& [key, text] : value.items()) {
            if (!text.is_string()) {
                throw FileError(path, fmt::format("metadata '{}' is not a string", key));
            }
            header.metadata[key] = text.get<std::string>();
        }
    }
    check_places(path, header.entries, file.size() - header.data_begin_bytes);
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

std::string write_header(const std::vector<SafetensorsEntry>& entries,
                         const std::map<std::string, std::string>& metadata) {
    Json json = Json::object();
    if (const auto all = with_tracked(entries, metadata); !all.empty()) {
        json[kMetadataKey] = all;
    }
    for (const SafetensorsEntry& entry : entries) {
        const auto code = std::find_if(kDTypes.begin(), kDTypes.end(), [&entry](const auto& row) {
            return row.second == entry.dtype;
        });
        json[entry.name] = {
            {"dtype", std::string(code->first)},
            {"shape", std::vector<std::int64_t>(entry.sizes.begin(), entry.sizes.end())},
            {"data_offsets", {entry.begin_bytes, entry.end_bytes}}};
    }
    std::string text = json.dump();
    text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
    std::string bytes(kLengthBytes, '\0');
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        bytes[i] = static_cast<char>(text.size() >> (8 * i) & 0xffU);
    }
    return bytes + text;
}

}  // namespace pumice::io
