# SPDX-License-Identifier: Apache-2.0
# Debian's cross compiler for 64-bit ARM; docs/cross_compiling.md says what else is needed.
#   cmake -B build/arm64 -DCMAKE_TOOLCHAIN_FILE=cmake/toolchains/aarch64-linux-gnu.cmake ...
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# Libraries and packages are the target's, as Debian installs them for a foreign architecture; or
# those of a folder that -DCMAKE_FIND_ROOT_PATH names. Headers alone (nlohmann_json, CLI11, volk) and
# programs are the host's.
if(NOT CMAKE_FIND_ROOT_PATH AND NOT CMAKE_SYSROOT)
    set(CMAKE_FIND_ROOT_PATH /)
endif()
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
