// SPDX-License-Identifier: Apache-2.0
#include "standard_streams.h"

#include "pumice/error.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <iostream>
#include <string>
#include <system_error>

namespace pumice::command {

void occupy_standard_streams() {
    for (int descriptor = 0; descriptor <= 2; ++descriptor) {
        if (::fcntl(descriptor, F_GETFD) < 0) {
            static_cast<void>(::open("/dev/null", O_RDONLY));
        }
    }
}

void finish_stdout() {
    errno = 0;
    const bool is_written =
        static_cast<bool>(std::cout.flush()) && std::fflush(stdout) == 0 && !std::ferror(stdout);
    if (!is_written) {
        throw FileError(
            "stdout",
            "cannot be written: " + (errno == 0 ? std::string("an earlier write failed")
                                                : std::generic_category().message(errno)));
    }
}

}  // namespace pumice::command
