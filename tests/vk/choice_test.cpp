// SPDX-License-Identifier: Apache-2.0
#include "vk/choice.h"

#include "pumice/error.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pumice::vk {
namespace {

DeviceInfo make(std::uint32_t index, std::string name, std::string type, char uuid_digit) {
    DeviceInfo info;
    info.index = index;
    info.name = std::move(name);
    info.type = std::move(type);
    info.uuid = std::string(32, uuid_digit);
    info.is_usable = true;
    return info;
}

std::vector<DeviceInfo> machine() {
    return {make(0, "llvmpipe (LLVM 15.0.6, 256 bits)", "cpu", 'a'),
            make(1, "Intel UHD 620", "integrated", 'b'),
            make(2, "NVIDIA RTX 3080", "discrete", 'c'),
            make(3, "NVIDIA RTX 4090", "discrete", 'd')};
}

std::string refusal(const std::vector<DeviceInfo>& devices, std::string_view wanted) {
    try {
        choose_device(devices, wanted);
    } catch (const DeviceError& error) {
        return error.what();
    }
    return "no error";
}

TEST_CASE("choice: discrete before integrated before virtual before cpu") {
    std::vector<DeviceInfo> devices = machine();
    CHECK(choose_device(devices, "") == 2);
    devices[2].is_usable = devices[3].is_usable = false;
    CHECK(choose_device(devices, "") == 1);
    devices[1].type = "other";
    CHECK(choose_device(devices, "") == 0);
    devices[1].type = "virtual";
    CHECK(choose_device(devices, "") == 1);
}

TEST_CASE("choice: by index, part of the name in any case, UUID") {
    const std::vector<DeviceInfo> devices = machine();
    CHECK(choose_device(devices, "0") == 0);
    CHECK(choose_device(devices, "3") == 3);
    CHECK(choose_device(devices, "intel") == 1);
    CHECK(choose_device(devices, "LLVMpipe") == 0);
    CHECK(choose_device(devices, "rtx") == 2);
    CHECK(choose_device(devices, "4090") == 3);
    CHECK(choose_device(devices, std::string(32, 'B')) == 1);
    CHECK(choose_device(devices, "dddddddd-dddd-dddd-dddd-dddddddddddd") == 3);
}

TEST_CASE("choice: an index is no part of a name") {
    const std::vector<DeviceInfo> devices = machine();
    CHECK(choose_device(devices, "1") == 1);
    CHECK(choose_device(devices, "2") == 2);
}

TEST_CASE("choice: refusals say what was asked and what there is") {
    std::vector<DeviceInfo> devices = machine();
    CHECK(refusal({}, "") ==
          "[vulkan] no Vulkan device found; install a driver, such as mesa-vulkan-drivers");
    const std::string unknown = refusal(devices, "radeon");
    CHECK(unknown.find("got \"radeon\"") != std::string::npos);
    CHECK(unknown.find("1: Intel UHD 620") != std::string::npos);
    CHECK(refusal(devices, "17").find("got \"17\"") != std::string::npos);
    CHECK(refusal(devices, "99999999999999999999").find("names no device") != std::string::npos);

    devices[1].is_usable = false;
    devices[1].refusal = "no timeline semaphores";
    const std::string old = refusal(devices, "1");
    CHECK(old.find("PUMICE_DEVICE=1 is usable") != std::string::npos);
    CHECK(old.find("no timeline semaphores") != std::string::npos);
    CHECK(old.find('\n') == std::string::npos);
    for (DeviceInfo& each : devices) {
        each.is_usable = false;
    }
    CHECK(refusal(devices, "").find("no device is usable") != std::string::npos);
}

}  // namespace
}  // namespace pumice::vk
