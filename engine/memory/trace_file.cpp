// SPDX-License-Identifier: Apache-2.0
#include "memory/trace_file.h"

#include "pumice/error.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace pumice::memory {
namespace {

// Ordered, because a reader of the file wants to see the event first.
using Json = nlohmann::ordered_json;

Json json_of(const TraceEvent& event) {
    switch (event.kind) {
        case TraceEvent::Kind::kAllocated:
            return {{"event", "allocated"},
                    {"id", event.id},
                    {"bytes", event.size_bytes},
                    {"transient", event.is_transient}};
        case TraceEvent::Kind::kFreed:
            return {{"event", "freed"}, {"id", event.id}, {"bytes", event.size_bytes}};
        case TraceEvent::Kind::kHostRead: return {{"event", "host_read"}, {"id", event.id}};
        case TraceEvent::Kind::kKernel: break;
    }
    return {{"event", "kernel"},
            {"label", event.label},
            {"reads", event.read_ids},
            {"writes", event.written_ids}};
}

void write_line(std::ofstream& file, const Json& line) {
    file << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

bool write_lines(const std::string& path, const TraceEvents& events) {
    std::ofstream file(path, std::ios::trunc);
    write_line(file, {{"event", "begin"}, {"version", 1}});
    for (const TraceEvent& event : events) {
        write_line(file, json_of(event));
    }
    write_line(file, {{"event", "end"}, {"event_count", events.size()}});
    file.close();
    return !file.fail();
}

}  // namespace

void write_trace_file(const std::string& path, const TraceEvents& events) {
    const std::string temporary_path = path + ".tmp" + std::to_string(::getpid());
    std::error_code error;
    if (!write_lines(temporary_path, events)) {
        std::filesystem::remove(temporary_path, error);
        throw FileError(path, "cannot write the trace beside it, to " + temporary_path);
    }
    std::filesystem::rename(temporary_path, path, error);
    if (error) {
        const std::string reason = error.message();
        std::filesystem::remove(temporary_path, error);
        throw FileError(path, "cannot rename the written trace to it: " + reason);
    }
}

}  // namespace pumice::memory
