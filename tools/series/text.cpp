// SPDX-License-Identifier: Apache-2.0
#include "series/text.h"

#include "pumice/error.h"
#include "pumice/io.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <zlib.h>

namespace pumice::series {

namespace {

// What a few packed megabytes can become must not take all memory.
constexpr std::size_t kMostBytes = std::size_t{1} << 30U;

class Inflater {
public:
    explicit Inflater(const std::string& path) : path_(path) {
        constexpr int kGzipWindow = 15 + 16;
        if (::inflateInit2(&stream_, kGzipWindow) != Z_OK) {
            throw FileError(path_, "zlib could not be started");
        }
    }

    ~Inflater() { ::inflateEnd(&stream_); }

    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    Inflater(Inflater&&) = delete;
    Inflater& operator=(Inflater&&) = delete;

    // All members of the file, which follow each other.
    std::string run(std::string packed) {
        stream_.next_in = reinterpret_cast<Bytef*>(packed.data());
        stream_.avail_in = static_cast<uInt>(packed.size());
        std::string text;
        do {
            inflate_member(text);
        } while (stream_.avail_in > 0 && ::inflateReset(&stream_) == Z_OK);
        return text;
    }

private:
    void inflate_member(std::string& text) {
        std::array<char, 1U << 16U> part{};
        for (int state = Z_OK; state != Z_STREAM_END;) {
            stream_.next_out = reinterpret_cast<Bytef*>(part.data());
            stream_.avail_out = part.size();
            state = ::inflate(&stream_, Z_NO_FLUSH);
            if (state != Z_OK && state != Z_STREAM_END) {
                throw FileError(
                    path_,
                    state == Z_BUF_ERROR ? "the gzip file ends early" : "the gzip file is damaged");
            }
            text.append(part.data(), part.size() - stream_.avail_out);
            if (text.size() > kMostBytes) {
                throw FileError(path_, "unpacked it has more than 1 GiB");
            }
        }
    }

    const std::string& path_;
    ::z_stream stream_{};
};

void append_utf8(std::string& text, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80U) {
        put(code);
        return;
    }
    if (code < 0x800U) {
        put(0xC0U | (code >> 6U));
    } else {
        if (code < 0x10000U) {
            put(0xE0U | (code >> 12U));
        } else {
            put(0xF0U | (code >> 18U));
            put(0x80U | ((code >> 12U) & 0x3FU));
        }
        put(0x80U | ((code >> 6U) & 0x3FU));
    }
    put(0x80U | (code & 0x3FU));
}

std::string from_utf16(const std::string& path, std::string_view bytes, bool is_big_endian) {
    if (bytes.size() % 2 != 0) {
        throw FileError(path, "is UTF-16, but has an odd number of bytes");
    }
    const auto unit = [&](std::size_t i) {
        const auto a = static_cast<unsigned char>(bytes[i]);
        const auto b = static_cast<unsigned char>(bytes[i + 1]);
        return static_cast<std::uint32_t>(is_big_endian ? a << 8U | b : b << 8U | a);
    };
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        std::uint32_t code = unit(i);
        const bool is_high = code >= 0xD800U && code < 0xDC00U;
        if (is_high && i + 2 < bytes.size() && unit(i + 2) >= 0xDC00U && unit(i + 2) < 0xE000U) {
            code = 0x10000U + ((code - 0xD800U) << 10U) + (unit(i + 2) - 0xDC00U);
            i += 2;
        } else if (code >= 0xD800U && code < 0xE000U) {
            throw FileError(path, "is UTF-16, but has half a character");
        }
        append_utf8(text, code);
    }
    return text;
}

// The bytes that follow the first one of a character; 4: it is no first one.
std::size_t follower_count(unsigned char first) {
    if (first < 0x80U) {
        return 0;
    }
    if (first < 0xC2U || first > 0xF4U) {
        return 4;
    }
    return first < 0xE0U ? 1 : (first < 0xF0U ? 2 : 3);
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::size_t count = follower_count(static_cast<unsigned char>(text[i]));
        if (count == 4 || text.size() - i <= count) {
            return false;
        }
        for (std::size_t k = 0; k < count; ++k) {
            if ((static_cast<unsigned char>(text[++i]) & 0xC0U) != 0x80U) {
                return false;
            }
        }
    }
    return true;
}

std::string from_latin1(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) {
        append_utf8(text, static_cast<unsigned char>(byte));
    }
    return text;
}

}  // namespace

Text read_text(const std::string& path) {
    constexpr std::string_view kGzip = "\x1F\x8B";
    constexpr std::string_view kZip = "PK\x03\x04";
    constexpr std::string_view kLittleEndian = "\xFF\xFE";
    constexpr std::string_view kBigEndian = "\xFE\xFF";
    Text text{.utf8 = io::read_file(path), .notes = {}};
    if (text.utf8.starts_with(kGzip)) {
        text.utf8 = Inflater(path).run(std::move(text.utf8));
        text.notes.emplace_back("unpacked with gzip");
    }
    const std::string_view bytes = text.utf8;
    if (bytes.starts_with(kZip)) {
        throw FileError(path, "is a zip archive or a workbook; save the sheet as CSV");
    }
    if (bytes.starts_with(kLittleEndian) || bytes.starts_with(kBigEndian)) {
        text.utf8 = from_utf16(path, bytes.substr(2), bytes.starts_with(kBigEndian));
        text.notes.emplace_back("read as UTF-16");
    } else if (bytes.find('\0') != std::string_view::npos) {
        throw FileError(path, "is no text: it has bytes of 0");
    } else if (!is_utf8(bytes)) {
        text.utf8 = from_latin1(bytes);
        text.notes.emplace_back("not UTF-8, read as Latin-1");
    }
    return text;
}

}  // namespace pumice::series
