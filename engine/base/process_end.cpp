// SPDX-License-Identifier: Apache-2.0
#include "base/process_end.h"

#include "pumice/error.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <unistd.h>

namespace pumice {
namespace {

using End = void (*)(int status);

std::array<std::atomic<End>, static_cast<std::size_t>(EndStage::kCount)> ends{};
std::atomic<::pid_t> process{0};
std::atomic<bool> has_ended{false};

// Registered once a stage; the one that was registered last does it all.
void run_ends(int status, void* /*unused*/) {
    if (process != ::getpid() || has_ended.exchange(true)) {
        return;
    }
    for (const std::atomic<End>& each : ends) {
        if (const End end = each; end != nullptr) {
            end(status);
        }
    }
}

// The handler's code must be there when the process ends.
void stay_loaded() {
    Dl_info self{};
    if (::dladdr(reinterpret_cast<const void*>(&run_ends), &self) != 0) {
        static_cast<void>(::dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
    }
}

}  // namespace

void at_process_end(EndStage stage, End end) {
    stay_loaded();
    process = ::getpid();
    ends[static_cast<std::size_t>(stage)] = end;
    // std::atexit's handlers do not learn the code.
    if (::on_exit(run_ends, nullptr) != 0) {
        throw DeviceError("vulkan", "the C library takes no more handlers for the process's end");
    }
}

void end_process_now(int status, const char* why) noexcept {
    std::fprintf(stderr, "pumice: %s; the process ends without its last handlers\n", why);
    std::fflush(nullptr);
    std::_Exit(status);
}

}  // namespace pumice
