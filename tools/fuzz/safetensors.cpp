// SPDX-License-Identifier: Apache-2.0
// The header of a safetensors file: with the length that the bytes give it, and with its own. What
// is taken must be written again and read the same.
#include "fuzz.h"
#include "io/safetensors_header.h"

namespace {

using pumice::fuzz::may_refuse;
using pumice::fuzz::require;
using pumice::io::SafetensorsEntry;
using pumice::io::SafetensorsHeader;

void check(const std::string& file) {
    const SafetensorsHeader header = pumice::io::parse_header("fuzz", file);
    std::vector<SafetensorsEntry> held;
    for (const SafetensorsEntry& entry : header.entries) {
        require(header.data_begin_bytes + entry.end_bytes <= file.size());
        if (entry.refusal.empty()) {
            held.push_back(entry);
        }
    }
    if (held.size() != header.entries.size()) {
        return;
    }
    const std::string again = pumice::io::write_header("fuzz", held, header.metadata);
    const SafetensorsHeader read =
        pumice::io::parse_header("fuzz", again + file.substr(header.data_begin_bytes));
    require(read.entries.size() == held.size() && read.metadata == header.metadata);
    for (std::size_t i = 0; i < held.size(); ++i) {
        require(read.entries[i].name == held[i].name && read.entries[i].sizes == held[i].sizes);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(pumice::fuzz::text_of(data, size));
    may_refuse([&] { check(bytes); });
    // A header of its own length, with as many bytes of data as its last byte says.
    std::string length(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) {
        length[i] = static_cast<char>(size >> (8 * i) & 0xFFU);
    }
    const std::size_t data_bytes = size > 0 ? data[size - 1] % 32U : 0;
    may_refuse([&] { check(length + bytes + std::string(data_bytes, '\1')); });
    return 0;
}
