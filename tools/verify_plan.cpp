// SPDX-License-Identifier: Apache-2.0
//
// verify_plan INPUT.csv OUTPUT.csv: checks, with nothing of the planner, that the offsets in
// OUTPUT.csv (id,lower,upper,size,offset) place the buffers of INPUT.csv (id,lower,upper,size and
// perhaps alignment): the same rows by id, every offset aligned, and no byte given to two buffers
// at one step. Prints the height reached and the most bytes that live at one step. Exit codes:
// 0 the plan holds, 1 it does not or a file is malformed, 2 usage.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using Row = std::map<std::string, std::string>;

struct Buffer {
    std::int64_t lower = 0;
    std::int64_t upper = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t alignment_bytes = 1;
    std::uint64_t offset_bytes = 0;
};

using Buffers = std::map<std::string, Buffer>;

[[noreturn]] void refuse(const std::string& reason) {
    throw std::runtime_error(reason);
}

// The plain form that both files have: fields without commas, perhaps in quotes.
std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> fields;
    std::stringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');) {
        const auto first = field.find_first_not_of(" \t\r\"");
        const auto last = field.find_last_not_of(" \t\r\"");
        fields.push_back(first == std::string::npos ? "" : field.substr(first, last - first + 1));
    }
    return fields;
}

std::vector<Row> read_rows(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line)) {
        refuse(path + ": cannot be read or is empty");
    }
    const std::vector<std::string> names = split(line);
    std::vector<Row> rows;
    while (std::getline(file, line)) {
        const std::vector<std::string> fields = split(line);
        if (fields.empty()) {
            continue;
        }
        if (fields.size() != names.size()) {
            std::string why = path;
            why += ": a row has another length than the header: ";
            why += line;
            refuse(why);
        }
        Row row;
        for (std::size_t i = 0; i < names.size(); ++i) {
            row[names[i]] = fields[i];
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

template <typename Number>
Number number_in(const Row& row, const std::string& name) {
    const auto found = row.find(name);
    std::istringstream stream(found == row.end() ? "" : found->second);
    Number number = 0;
    if (!(stream >> number) || !stream.eof() ||
        (number >= 0 && found->second.find('-') != std::string::npos)) {
        refuse("column " + name + " is missing or no whole number in range");
    }
    return number;
}

Buffers read_buffers(const std::string& path, bool has_offsets) {
    Buffers buffers;
    for (const Row& row : read_rows(path)) {
        Buffer buffer;
        buffer.lower = number_in<std::int64_t>(row, "lower");
        buffer.upper = number_in<std::int64_t>(row, "upper");
        buffer.size_bytes = number_in<std::uint64_t>(row, "size");
        if (row.count("alignment") != 0) {
            buffer.alignment_bytes = number_in<std::uint64_t>(row, "alignment");
        }
        if (has_offsets) {
            buffer.offset_bytes = number_in<std::uint64_t>(row, "offset");
        }
        if (row.count("id") == 0 || !buffers.emplace(row.at("id"), buffer).second) {
            refuse(path + ": an id is missing or there twice");
        }
    }
    return buffers;
}

// The input's buffers with the output's offsets.
Buffers match(Buffers buffers, const Buffers& placed) {
    if (buffers.size() != placed.size()) {
        refuse("the files have " + std::to_string(buffers.size()) + " and " +
               std::to_string(placed.size()) + " rows");
    }
    for (auto& [id, buffer] : buffers) {
        const auto found = placed.find(id);
        if (found == placed.end()) {
            refuse("buffer " + id + " has no offset");
        }
        const Buffer& other = found->second;
        if (other.lower != buffer.lower || other.upper != buffer.upper ||
            other.size_bytes != buffer.size_bytes) {
            refuse("buffer " + id + " has another lifetime or size than in the input");
        }
        buffer.offset_bytes = other.offset_bytes;
        if (buffer.alignment_bytes == 0 || buffer.offset_bytes % buffer.alignment_bytes != 0) {
            refuse("buffer " + id + " is not aligned");
        }
        if (buffer.offset_bytes + buffer.size_bytes < buffer.size_bytes) {
            refuse("buffer " + id + " ends past 2^64");
        }
    }
    return buffers;
}

void check_overlaps(const Buffers& buffers) {
    for (auto left = buffers.begin(); left != buffers.end(); ++left) {
        for (auto right = std::next(left); right != buffers.end(); ++right) {
            const Buffer& a = left->second;
            const Buffer& b = right->second;
            const bool is_together = a.lower < b.upper && b.lower < a.upper;
            const bool is_sharing = a.offset_bytes < b.offset_bytes + b.size_bytes &&
                                    b.offset_bytes < a.offset_bytes + a.size_bytes;
            if (is_together && is_sharing && a.size_bytes > 0 && b.size_bytes > 0) {
                refuse("buffers " + left->first + " and " + right->first + " share bytes");
            }
        }
    }
}

std::uint64_t live_bytes(const Buffers& buffers) {
    std::uint64_t most_bytes = 0;
    for (const auto& [id, begun] : buffers) {
        std::uint64_t sum_bytes = 0;
        for (const auto& [other_id, other] : buffers) {
            const bool is_live = other.lower <= begun.lower && begun.lower < other.upper;
            sum_bytes += is_live ? other.size_bytes : 0;
        }
        most_bytes = std::max(most_bytes, sum_bytes);
    }
    return most_bytes;
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count != 3) {
        std::fputs("usage: verify_plan INPUT.csv OUTPUT.csv\n", stderr);
        return 2;
    }
    try {
        const Buffers buffers =
            match(read_buffers(arguments[1], false), read_buffers(arguments[2], true));
        check_overlaps(buffers);
        std::uint64_t height_bytes = 0;
        for (const auto& [id, buffer] : buffers) {
            height_bytes = std::max(height_bytes, buffer.offset_bytes + buffer.size_bytes);
        }
        std::cout << "{\"buffer_count\":" << buffers.size() << ",\"height_bytes\":" << height_bytes
                  << ",\"lower_bound_bytes\":" << live_bytes(buffers) << "}\n";
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "verify_plan: " << error.what() << '\n';
        return 1;
    }
}
