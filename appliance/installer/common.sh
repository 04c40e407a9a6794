# What both ways of installing need. Sourced by install.sh.
# shellcheck shell=sh disable=SC2034,SC2154 # the parts share their variables

# Nobody may be there to read it any more: that is no reason to end.
say() { printf '%s\n' "$*" >&2 || true; }

fail() {
    say "$*"
    exit 1
}

# Does it, or with --dry-run says it.
run() {
    if [ -n "${dry_run-}" ]; then
        printf '+ %s\n' "$*"
    else
        "$@"
    fi
}

# The same for a program of ours, which fails where it cannot say what it did.
heard() {
    if [ -n "${dry_run-}" ]; then
        run "$@"
        return
    fi
    ended=0
    said=$("$@" 2>&1) || ended=$?
    [ -z "$said" ] || say "$said"
    return "$ended"
}

quietly() {
    if [ -n "${dry_run-}" ]; then run "$@"; else "$@" >/dev/null; fi
}

# Debian's own first: one under somebody's home is closed to the service.
find_python() {
    for name in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# Debian splits venv off its Python; root can mend that here, others are told how.
need_debian() {
    if [ -n "${dry_run-}" ] || { [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; }; then
        say "installing Debian packages: $*"
        export DEBIAN_FRONTEND=noninteractive
        run apt-get update -qq
        quietly apt-get install -y -qq --no-install-recommends "$@"
    else
        fail "Please run: sudo apt-get install $*   and then this command again."
    fi
}
