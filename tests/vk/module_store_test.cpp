// SPDX-License-Identifier: Apache-2.0
#include "vk/module_store.h"

#include "pumice/error.h"

#include "vk/glsl.h"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace pumice::vk {
namespace {

namespace fs = std::filesystem;

/// A folder that dies with the test.
struct Folder {
    fs::path path =
        fs::temp_directory_path() / ("pumice_module_store_test." + std::to_string(::getpid()));

    Folder() = default;

    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

std::string kernel_text(int number) {
    return "#version 450\n"
           "layout(local_size_x_id = 0) in;\n"
           "layout(std430, set = 0, binding = 0) buffer Output { uint words[]; };\n"
           "void main() {\n"
           "    words[gl_GlobalInvocationID.x] = " +
           std::to_string(number) + "u;\n}\n";
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST_CASE("module store: a module comes back from memory and from disk") {
    const Folder folder;
    ModuleStore store(folder.path.string());
    const std::string text = kernel_text(1);
    const auto words = store.get(text);
    CHECK((*words)[0] == 0x07230203U);  // SPIR-V's magic number
    CHECK(store.get(text) == words);
    REQUIRE(fs::exists(store.path_of(text)));
    const auto time = fs::last_write_time(store.path_of(text));
    ModuleStore next(folder.path.string());
    CHECK(*next.get(text) == *words);
    CHECK(fs::last_write_time(store.path_of(text)) == time);
}

TEST_CASE("module store: without a folder nothing is written") {
    ModuleStore store("");
    CHECK(store.path_of(kernel_text(1)).empty());
    CHECK(!store.get(kernel_text(1))->empty());
}

TEST_CASE("module store: a file that was cut or changed anywhere is never taken") {
    const Folder folder;
    const std::string text = kernel_text(2);
    const auto words = ModuleStore(folder.path.string()).get(text);
    const std::string path = ModuleStore(folder.path.string()).path_of(text);
    const std::string good = read_file(path);
    const auto check_survives = [&](const std::string& bad) {
        write_file(path, bad);
        const bool is_right = *ModuleStore(folder.path.string()).get(text) == *words;
        const bool is_mended = read_file(path) == good;
        return is_right && is_mended;
    };
    for (std::size_t size = 0; size < good.size(); size += 7) {
        CAPTURE(size);
        REQUIRE(check_survives(good.substr(0, size)));
    }
    for (std::size_t bit = 0; bit < good.size() * 8; bit += 61) {
        CAPTURE(bit);
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        REQUIRE(check_survives(bad));
    }
    REQUIRE(check_survives(good + "more"));
}

TEST_CASE("module store: another text's file under the same name is not taken") {
    const Folder folder;
    ModuleStore store(folder.path.string());
    const auto first = store.get(kernel_text(3));
    fs::create_directories(folder.path);
    fs::copy_file(store.path_of(kernel_text(3)), store.path_of(kernel_text(4)));
    const auto second = ModuleStore(folder.path.string()).get(kernel_text(4));
    CHECK(*second != *first);
    CHECK(*second == compile_glsl(kernel_text(4)));
}

TEST_CASE("module store: a process killed while it writes leaves nothing wrong behind") {
    const Folder folder;
    for (int round = 0; round < 12; ++round) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            for (int i = 0;; ++i) {
                ModuleStore(folder.path.string()).get(kernel_text(i % 50));
                std::error_code ignored;
                fs::remove(ModuleStore(folder.path.string()).path_of(kernel_text(i % 50)), ignored);
            }
        }
        ::usleep(static_cast<useconds_t>(3000 + 1700 * round));
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    for (int i = 0; i < 50; ++i) {
        CHECK(*ModuleStore(folder.path.string()).get(kernel_text(i)) ==
              compile_glsl(kernel_text(i)));
    }
}

TEST_CASE("module store: the folder stays within its bound") {
    const Folder folder;
    constexpr std::uint64_t kBound = 20000;
    ModuleStore store(folder.path.string(), kBound);
    for (int i = 0; i < 60; ++i) {
        store.get(kernel_text(i));
        std::uint64_t bytes = 0;
        for (const auto& each : fs::directory_iterator(folder.path)) {
            bytes += each.file_size();
        }
        CHECK(bytes <= kBound);
    }
    CHECK(fs::exists(store.path_of(kernel_text(59))));
}

TEST_CASE("glsl: what does not compile says why") {
    CHECK_THROWS_AS(compile_glsl("#version 450\nvoid main() { nonsense; }\n"), InternalError);
    CHECK_THROWS_AS(expand_includes("#include \"nowhere.glsl\"\n"), InternalError);
    CHECK(expand_includes("#include \"dtype.glsl\"\n").find("decode_float") != std::string::npos);
}

}  // namespace
}  // namespace pumice::vk
