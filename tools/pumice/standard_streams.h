// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pumice::command {

/// Opens what is closed of the standard streams, so that no file becomes one of them; printing to
/// it fails all the same.
void occupy_standard_streams();

/// Brings to stdout what was printed. @throws FileError with the system's reason where it could not
/// take all of it (a full disk)
void finish_stdout();

}  // namespace pumice::command
