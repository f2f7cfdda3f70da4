// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all.
#include "base/whole_file.h"

#include "pumice/error.h"
#include "pumice/io.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace pumice {

namespace {

[[noreturn]] void throw_unwritable(const std::string& path, int error) {
    throw FileError(path, "cannot be written: " + std::generic_category().message(error));
}

/// A file that is being written; closes itself. Functions give errno, 0 if all went well.
class OpenFile {
public:
    OpenFile(const std::string& path, int flags, mode_t mode)
        : descriptor_(::open(path.c_str(), flags | O_WRONLY | O_CLOEXEC, mode)),
          error_(descriptor_ < 0 ? errno : 0) {}

    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    OpenFile(OpenFile&&) = delete;
    OpenFile& operator=(OpenFile&&) = delete;

    ~OpenFile() { static_cast<void>(close()); }

    [[nodiscard]] int error() const noexcept { return error_; }

    [[nodiscard]] int write(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
            if (count < 0 && errno != EINTR) {
                return errno;
            }
            bytes.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        return 0;
    }

    // A full disk may be told as late as here.
    [[nodiscard]] int sync() const { return ::fsync(descriptor_) == 0 ? 0 : errno; }

    [[nodiscard]] int close() {
        const int descriptor = std::exchange(descriptor_, -1);
        return descriptor < 0 || ::close(descriptor) == 0 ? 0 : errno;
    }

private:
    int descriptor_;
    int error_;
};

// What is no file in a folder (a pipe, a terminal, /dev/null) is written where it is.
void write_in_place(const std::string& path, std::string_view bytes) {
    OpenFile file(path, 0, 0);
    int error = file.error();
    error = error != 0 ? error : file.write(bytes);
    const int close_error = file.close();
    if (error != 0 || close_error != 0) {
        throw_unwritable(path, error != 0 ? error : close_error);
    }
}

int write_draft(const std::string& draft, std::string_view bytes, mode_t mode) {
    OpenFile file(draft, O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
    int error = file.error();
    error = error != 0 ? error : file.write(bytes);
    error = error != 0 ? error : file.sync();
    const int close_error = file.close();
    return error != 0 ? error : close_error;
}

// A link stays one: what it points to is written.
std::string target_of(const std::string& path) {
    std::error_code failure;
    const std::filesystem::path real = std::filesystem::canonical(path, failure);
    return failure ? path : real.string();
}

}  // namespace

void write_whole_file(const std::string& path, std::string_view bytes) {
    static std::atomic<unsigned> the_count{0};

    struct ::stat there {};

    const bool exists = ::stat(path.c_str(), &there) == 0;
    if (exists && S_ISDIR(there.st_mode)) {
        throw_unwritable(path, EISDIR);
    }
    if (exists && !S_ISREG(there.st_mode)) {
        write_in_place(path, bytes);
        return;
    }
    const std::string target = target_of(path);
    const std::string draft =
        target + "." + std::to_string(::getpid()) + "." + std::to_string(the_count++) + ".tmp";
    int error = write_draft(draft, bytes, exists ? there.st_mode & 07777 : 0666);
    if (error == 0 && ::rename(draft.c_str(), target.c_str()) != 0) {
        error = errno;
    }
    if (error != 0) {
        ::unlink(draft.c_str());
        throw_unwritable(path, error);
    }
}

// The io room is written against pumice/ alone, so its door to this one is here.
void io::write_file(const std::string& path, const std::string& bytes) {
    write_whole_file(path, bytes);
}

}  // namespace pumice
