// SPDX-License-Identifier: Apache-2.0
#include "traced_memory.h"

#include "pumice/io.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>
#include <unordered_map>

namespace pumice::command {

namespace {

using Json = nlohmann::json;

class Reader {
public:
    void take(const Json& event) {
        const std::string kind = event.at("event");
        if (kind == "allocated") {
            take_allocated(event);
        } else if (kind == "freed") {
            take_freed(event.at("id"));
        } else if (kind == "kernel") {
            for (const Json& id : event.at("reads")) {
                use(id, "host");
            }
            for (const Json& id : event.at("writes")) {
                use(id, event.at("label"));
            }
            take_step();
        } else if (kind == "host_read") {
            use(event.at("id"), "host");
            take_step();
        }
    }

    TracedMemory finish() && {
        // What happens after the last step counts as part of it.
        const std::size_t last = std::max<std::size_t>(step_, 1) - 1;
        if (most_bytes_ > 0 || step_ == 0) {
            memory_.live_bytes.resize(last + 1);
            memory_.live_bytes[last] = std::max(memory_.live_bytes[last], most_bytes_);
        }
        memory_.needed_bytes.assign(memory_.live_bytes.size(), 0);
        for (std::size_t i = 0; i < memory_.tenants.size(); ++i) {
            TracedTenant& tenant = memory_.tenants[i];
            tenant.first_step = std::min(tenant.first_step, last);
            tenant.end_step = live_[i] ? last + 1 : tenant.end_step;
            for (std::size_t step = first_use_[i]; is_used(i) && step <= last_use_[i]; ++step) {
                memory_.needed_bytes[step] += tenant.size_bytes;
            }
        }
        const auto peak = std::max_element(memory_.live_bytes.begin(), memory_.live_bytes.end());
        memory_.peak_step = static_cast<std::size_t>(peak - memory_.live_bytes.begin());
        return std::move(memory_);
    }

private:
    void take_allocated(const Json& event) {
        index_of_[event.at("id")] = memory_.tenants.size();
        TracedTenant& tenant = memory_.tenants.emplace_back();
        tenant.id = event.at("id");
        tenant.is_transient = event.at("transient");
        tenant.buffer = event.at("buffer");
        tenant.offset_bytes = event.at("offset");
        tenant.size_bytes = event.at("bytes");
        tenant.first_step = step_;
        live_.push_back(true);
        first_use_.push_back(1);  // not used: the last use is before the first
        last_use_.push_back(0);
        now_bytes_ += tenant.size_bytes;
        most_bytes_ = std::max(most_bytes_, now_bytes_);
    }

    void take_freed(std::uint64_t id) {
        const auto found = index_of_.find(id);
        if (found != index_of_.end() && live_[found->second]) {
            live_[found->second] = false;
            memory_.tenants[found->second].end_step = step_;
            now_bytes_ -= memory_.tenants[found->second].size_bytes;
        }
    }

    void use(std::uint64_t id, const std::string& op) {
        const auto found = index_of_.find(id);
        if (found == index_of_.end()) {
            return;  // older than the trace: a parameter or an input
        }
        const std::size_t i = found->second;
        if (!is_used(i)) {
            memory_.tenants[i].op = op;
            first_use_[i] = step_;
        }
        last_use_[i] = step_;
    }

    void take_step() {
        memory_.live_bytes.push_back(std::max(most_bytes_, now_bytes_));
        most_bytes_ = 0;
        ++step_;
    }

    [[nodiscard]] bool is_used(std::size_t i) const { return memory_.tenants[i].op != "unused"; }

    TracedMemory memory_;
    std::unordered_map<std::uint64_t, std::size_t> index_of_;
    std::vector<bool> live_;
    std::vector<std::size_t> first_use_;
    std::vector<std::size_t> last_use_;
    std::size_t step_ = 0;
    std::uint64_t now_bytes_ = 0;
    std::uint64_t most_bytes_ = 0;  ///< after an allocation since the last step
};

}  // namespace

TracedMemory read_traced_memory(const std::string& path) {
    Reader reader;
    std::istringstream lines(io::read_file(path));
    for (std::string line; std::getline(lines, line);) {
        reader.take(Json::parse(line));
    }
    return std::move(reader).finish();
}

}  // namespace pumice::command
