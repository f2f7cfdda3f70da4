// SPDX-License-Identifier: Apache-2.0
//
// lower_bound TRACE.jsonl: recomputes, from a dumped MemoryTrace and nothing of the engine, the
// least memory that any placement of the traced storages needs, and prints it beside the peak that
// the engine reached. At each kernel and host read it adds up the bytes of the storages that were
// allocated in the trace and whose first use is not later and whose last use is not earlier.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

struct Storage {
    std::uint64_t byte_count = 0;
    bool is_used = false;
    bool is_live = true;
    std::size_t first_use = 0;
    std::size_t last_use = 0;
};

struct Trace {
    std::map<std::uint64_t, Storage> storages;
    std::size_t step_count = 0;
    std::uint64_t event_count = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t peak_bytes = 0;
    bool has_begun = false;
    bool has_ended = false;
};

[[noreturn]] void refuse(const std::string& reason) {
    throw std::runtime_error(reason);
}

std::uint64_t whole_number(const Json& value, const std::string& field) {
    if (!value.is_number_unsigned()) {
        refuse("\"" + field + "\" must be a whole number; got " + value.dump());
    }
    return value.get<std::uint64_t>();
}

const Json& field_of(const Json& event, const std::string& field) {
    const auto found = event.find(field);
    if (found == event.end()) {
        refuse("\"" + field + "\" is missing");
    }
    return *found;
}

void use(Trace& trace, std::uint64_t id) {
    const auto found = trace.storages.find(id);
    if (found == trace.storages.end()) {
        return;  // older than the trace: a parameter or an input
    }
    Storage& storage = found->second;
    if (!storage.is_used) {
        storage.is_used = true;
        storage.first_use = trace.step_count;
    }
    storage.last_use = trace.step_count;
}

void use_all(Trace& trace, const Json& event, const std::string& field) {
    const Json& ids = field_of(event, field);
    if (!ids.is_array()) {
        refuse("\"" + field + "\" must be a list; got " + ids.dump());
    }
    for (const Json& id : ids) {
        use(trace, whole_number(id, field));
    }
}

void take_allocated(Trace& trace, const Json& event) {
    Storage storage;
    storage.byte_count = whole_number(field_of(event, "bytes"), "bytes");
    const std::uint64_t id = whole_number(field_of(event, "id"), "id");
    if (!trace.storages.emplace(id, storage).second) {
        refuse("storage " + std::to_string(id) + " is allocated twice");
    }
    trace.live_bytes += storage.byte_count;
    trace.peak_bytes = std::max(trace.peak_bytes, trace.live_bytes);
}

void take_freed(Trace& trace, const Json& event) {
    const std::uint64_t id = whole_number(field_of(event, "id"), "id");
    const auto found = trace.storages.find(id);
    if (found == trace.storages.end()) {
        return;
    }
    if (!found->second.is_live) {
        refuse("storage " + std::to_string(id) + " is freed twice");
    }
    found->second.is_live = false;
    trace.live_bytes -= found->second.byte_count;
}

void take_begin_or_end(Trace& trace, const Json& event, const std::string& kind) {
    if (kind == "begin") {
        if (trace.has_begun || field_of(event, "version") != 1) {
            refuse("must begin once, with version 1");
        }
        trace.has_begun = true;
        return;
    }
    const std::uint64_t event_count = whole_number(field_of(event, "event_count"), "event_count");
    if (event_count != trace.event_count) {
        refuse("the trace says " + std::to_string(event_count) + " events; got " +
               std::to_string(trace.event_count));
    }
    trace.has_ended = true;
}

void take_event(Trace& trace, const Json& event) {
    if (!event.is_object()) {
        refuse("must be an object");
    }
    const Json& name = field_of(event, "event");
    const std::string kind = name.is_string() ? name.get<std::string>() : name.dump();
    if (trace.has_ended || (!trace.has_begun && kind != "begin")) {
        refuse("an event before the begin or after the end");
    }
    if (kind == "begin" || kind == "end") {
        take_begin_or_end(trace, event, kind);
        return;
    }
    ++trace.event_count;
    if (kind == "allocated") {
        take_allocated(trace, event);
    } else if (kind == "freed") {
        take_freed(trace, event);
    } else if (kind == "kernel") {
        use_all(trace, event, "reads");
        use_all(trace, event, "writes");
        ++trace.step_count;
    } else if (kind == "host_read") {
        use(trace, whole_number(field_of(event, "id"), "id"));
        ++trace.step_count;
    } else {
        refuse("unknown event " + kind);
    }
}

std::uint64_t lower_bound_bytes(const Trace& trace) {
    std::vector<std::uint64_t> begun_bytes(trace.step_count + 1);
    std::vector<std::uint64_t> ended_bytes(trace.step_count + 1);
    for (const auto& [id, storage] : trace.storages) {
        if (storage.is_used) {
            begun_bytes[storage.first_use] += storage.byte_count;
            ended_bytes[storage.last_use + 1] += storage.byte_count;
        }
    }
    std::uint64_t needed_bytes = 0;
    std::uint64_t most_bytes = 0;
    for (std::size_t step = 0; step < trace.step_count; ++step) {
        needed_bytes += begun_bytes[step];
        needed_bytes -= ended_bytes[step];
        most_bytes = std::max(most_bytes, needed_bytes);
    }
    return most_bytes;
}

Trace read_trace(const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        refuse(path + ": cannot be read");
    }
    Trace trace;
    std::size_t line_number = 0;
    for (std::string line; std::getline(file, line);) {
        ++line_number;
        try {
            const Json event = Json::parse(line, nullptr, false);
            if (event.is_discarded()) {
                refuse("not JSON");
            }
            take_event(trace, event);
        } catch (const std::exception& error) {
            refuse(path + ":" + std::to_string(line_number) + ": " + error.what());
        }
    }
    if (!trace.has_ended) {
        refuse(path + ":" + std::to_string(line_number + 1) + ": the end is missing");
    }
    return trace;
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count != 2) {
        std::fputs("usage: lower_bound TRACE.jsonl\n", stderr);
        return 2;
    }
    try {
        const Trace trace = read_trace(arguments[1]);
        const std::uint64_t bound_bytes = lower_bound_bytes(trace);
        const double ratio = bound_bytes == 0 ? 0.0
                                              : static_cast<double>(trace.peak_bytes) /
                                                    static_cast<double>(bound_bytes);
        const nlohmann::ordered_json result = {
            {"lower_bound_bytes", bound_bytes}, {"peak_bytes", trace.peak_bytes}, {"ratio", ratio}};
        std::cout << result.dump() << '\n';
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "lower_bound: " << error.what() << '\n';
        return 1;
    }
}
