// SPDX-License-Identifier: Apache-2.0
#include "forecaster/gnuplot.h"

#include "pumice/error.h"
#include "pumice/io.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <system_error>

namespace forecaster {

namespace {

constexpr const char* kPreamble =
    "set terminal svg size 1000,480 dynamic background rgb 'white' font 'Helvetica,13'\n"
    "set border 3 lc rgb '#888888'\nset tics nomirror\nset grid y lc rgb '#e5e5e5'\n"
    "set key top left reverse Left\nset datafile missing 'nan'\n";

// A folder for gnuplot's input and outputs. Its picture is looked at before it becomes ours.
class Workshop {
public:
    Workshop() {
        std::error_code failure;
        folder_ = (std::filesystem::temp_directory_path(failure) / "pumice_plot_XXXXXX").string();
        if (failure || ::mkdtemp(folder_.data()) == nullptr) {
            throw pumice::FileError(folder_, "the folder for temporary files cannot be written");
        }
    }

    ~Workshop() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;
    Workshop(Workshop&&) = delete;
    Workshop& operator=(Workshop&&) = delete;

    [[nodiscard]] std::string path(const char* name) const { return folder_ + "/" + name; }

private:
    std::string folder_;
};

// What gnuplot ended with: 0 if all went well, errno's value below 0 if it could not be started.
int run_in(const Workshop& workshop) {
    const std::string script = workshop.path("script");
    const std::string picture = workshop.path("picture");
    const std::string errors = workshop.path("errors");
    ::posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, script.c_str(), O_RDONLY, 0);
    constexpr int kFresh = O_WRONLY | O_CREAT | O_TRUNC;
    ::posix_spawn_file_actions_addopen(&actions, 1, picture.c_str(), kFresh, 0600);
    ::posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), kFresh, 0600);
    std::string name = "gnuplot";
    char* const arguments[] = {name.data(), nullptr};
    ::pid_t child = 0;
    const int failure = ::posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        return -failure;
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return status;
}

// The line of its errors that says what is wrong: the last one with text in it.
std::string last_line(const std::string& text) {
    const auto end = text.find_last_not_of(" \n");
    if (end == std::string::npos) {
        return "no message";
    }
    const auto before = text.find_last_of('\n', end);
    const auto begin = text.find_first_not_of(' ', before == std::string::npos ? 0 : before + 1);
    return text.substr(begin, end + 1 - begin);
}

bool is_whole_svg(const std::string& picture) {
    constexpr std::string_view kEnd = "</svg>";
    const auto end = picture.find_last_not_of(" \n");
    return end != std::string::npos && std::string_view(picture).substr(0, end + 1).ends_with(kEnd);
}

}  // namespace

std::string gnuplot_text(const std::string& text) {
    std::string out = "'";
    for (const char letter : text) {
        out += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
        if (letter == '\'') {
            out += letter;  // gnuplot doubles a quote within quotes
        }
    }
    return out + "'";
}

void run_gnuplot(const std::string& picture_path, const std::string& script) {
    const Workshop workshop;
    pumice::io::write_file(workshop.path("script"), kPreamble + script);
    const int status = run_in(workshop);
    if (status == -ENOENT) {
        throw pumice::UnsupportedError(
            "plot", "gnuplot is not installed; install gnuplot-nox or leave the plot out");
    }
    if (status < 0) {
        throw pumice::FileError(
            picture_path, "gnuplot cannot be started: " + std::generic_category().message(-status));
    }
    const std::string picture = pumice::io::read_file(workshop.path("picture"));
    if (status != 0 || !is_whole_svg(picture)) {
        throw pumice::FileError(picture_path,
                                "gnuplot drew no picture: " +
                                    last_line(pumice::io::read_file(workshop.path("errors"))));
    }
    pumice::io::write_file(picture_path, picture);
}

}  // namespace forecaster
