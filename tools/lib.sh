# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# Shared by the scripts in tools/; sourced, never run.

root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
drivers_dir=$root_dir/build/drivers

fail() {
    echo "error: $1" >&2
    exit "${2:-1}"
}

# The packages among $@ that dpkg does not list as installed, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "not root and no sudo; run as root: $*" 2
    fi
}

# apt's lists, fetched at most once a script and only when something is missing.
update_lists() {
    [ -n "${lists_are_fresh:-}" ] || as_root apt-get update -qq
    lists_are_fresh=1
}

# Installs what is missing; where there is no apt, says what to install and exits 2.
require_packages() {
    local missing
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        fail "no apt here; install these (Debian's names), or their like: $*" 2
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -eq 0 ] && return
    echo "installing: ${missing[*]}"
    update_lists
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

configure_and_build() {
    local preset=$1
    shift
    cmake --preset "$preset" >"$root_dir/build/configure-$preset.log" 2>&1 || {
        cat "$root_dir/build/configure-$preset.log" >&2
        fail "cmake --preset $preset failed"
    }
    cmake --build --preset "$preset" "$@"
}
