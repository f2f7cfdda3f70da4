// SPDX-License-Identifier: Apache-2.0
// In which order the process ends, and who may hold that end up.
#include "base/process_end.h"

#include "pumice/error.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <thread>
#include <unistd.h>

namespace pumice {
namespace {

using End = void (*)(int status);

std::array<std::atomic<End>, static_cast<std::size_t>(EndStage::kCount)> ends{};
std::atomic<::pid_t> process{0};

// Registered once a stage; the one that was registered last does it all.
void run_ends(int status, void* /*unused*/) {
    if (process != ::getpid()) {
        return;
    }
    for (std::atomic<End>& each : ends) {
        if (const End end = each.exchange(nullptr); end != nullptr) {
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

// The process that holds its end back, not one that it forked.
std::atomic<::pid_t> holder{0};

void wait_for_holder() noexcept {
    const Deadline end = std::chrono::steady_clock::now() + kEndPatience;
    while (holder == ::getpid() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

// std::exit destroys the calling thread's objects first of all.
struct ThreadEnd {
    ThreadEnd() = default;
    ThreadEnd(const ThreadEnd&) = delete;
    ThreadEnd& operator=(const ThreadEnd&) = delete;

    ~ThreadEnd() { wait_for_holder(); }

    void begin() noexcept {}
};

thread_local ThreadEnd thread_end;

// The thread that loads this library, which is main's.
const bool loader_heeds = (heed_held_end(), true);

}  // namespace

HeldEnd::HeldEnd() noexcept {
    holder = ::getpid();
}

HeldEnd::~HeldEnd() {
    holder = 0;
}

void heed_held_end() noexcept {
    thread_end.begin();
}

void at_process_end(EndStage stage, End end) {
    stay_loaded();
    // std::atexit's handlers do not learn the code.
    if (::on_exit(run_ends, nullptr) != 0) {
        throw DeviceError("vulkan", "the C library takes no more handlers for the process's end");
    }
    process = ::getpid();
    ends[static_cast<std::size_t>(stage)] = end;
}

void end_process_now(int status, const char* why) noexcept {
    std::fprintf(stderr, "pumice: %s; the process ends without its last handlers\n", why);
    // Not all streams: another thread may hold one for as long as it waits for input.
    std::fflush(stdout);
    std::_Exit(status);
}

}  // namespace pumice
