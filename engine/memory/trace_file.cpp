// SPDX-License-Identifier: Apache-2.0
// A trace as lines of JSON.
#include "memory/trace_file.h"

#include "base/whole_file.h"

#include <nlohmann/json.hpp>

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
                    {"transient", event.is_transient},
                    {"buffer", event.buffer},
                    {"offset", event.offset_bytes}};
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

void add_line(std::string& text, const Json& line) {
    text += line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

void write_trace_file(const std::string& path, const TraceEvents& events) {
    std::string text;
    add_line(text, {{"event", "begin"}, {"version", 1}});
    for (const TraceEvent& event : events) {
        add_line(text, json_of(event));
    }
    add_line(text, {{"event", "end"}, {"event_count", events.size()}});
    write_whole_file(path, text);
}

}  // namespace pumice::memory
