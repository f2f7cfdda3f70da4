// SPDX-License-Identifier: Apache-2.0
#include "base/whole_file.h"

#include "pumice/error.h"
#include "pumice/io.h"

#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <filesystem>

namespace pumice {

namespace fs = std::filesystem;

TEST_CASE("whole file: what cannot be written leaves nothing and says why") {
    const test::Scratch scratch;
    test::check_throws<FileError>([&] { write_whole_file(scratch.path("no/a"), "x"); },
                                  "no/a] cannot be written: No such file or directory");
    fs::create_directory(scratch.path("folder"));
    test::check_throws<FileError>([&] { write_whole_file(scratch.path("folder"), "x"); },
                                  "cannot be written: Is a directory");
    test::check_throws<FileError>([] { write_whole_file("/proc/pumice.svg", "x"); },
                                  "/proc/pumice.svg] cannot be written");
    test::check_throws<FileError>([] { write_whole_file("/dev/full", "x"); },
                                  "/dev/full] cannot be written: No space left on device");
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("whole file: devices stay devices, links links, permissions permissions") {
    const test::Scratch scratch;
    write_whole_file("/dev/null", "x");
    CHECK(fs::is_character_file("/dev/null"));
    const std::string real = scratch.write("real", "old");
    fs::permissions(real, fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink(real, scratch.path("link"));
    io::write_file(scratch.path("link"), "new");
    CHECK(fs::is_symlink(scratch.path("link")));
    CHECK(io::read_file(real) == "new");
    CHECK(fs::status(real).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(scratch.file_count() == 2);
}

}  // namespace pumice
