#!/bin/sh
# Sets the appliance up. Today: the sandbox, in this folder, without root.
set -eu

usage() {
    cat <<'USAGE'
usage: ./install.sh --sandbox [--offset N] [--autopay SECONDS] [--data-dir DIR]
                              [--router-latency MS] [--mongodb URI]

  --sandbox   set up a virtual environment here and start the whole product
              beside a pretend Safaricom, phone and router

Everything after --sandbox goes to `appliance sandbox`.
USAGE
}

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

find_python() {
    for name in python3 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# Debian splits venv off its Python; root can mend that here, others are told how.
need_debian() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing Debian packages: $*"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        fail "Please run: sudo apt-get install $*   and then this command again."
    fi
}

set_up_environment() {
    python=$(find_python) || { need_debian python3 python3-venv && python=$(find_python); } ||
        fail "Python 3.11 or later is needed."
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_debian python3-venv
    # A virtual environment cut off half-way is made anew; a finished one is stamped.
    wanted=$(cat requirements.lock pyproject.toml | cksum)
    stamp=.venv/.installed
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    say "setting up .venv"
    .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
    install="-m pip install --quiet --disable-pip-version-check"
    # shellcheck disable=SC2086 # the options are words on purpose
    .venv/bin/python $install --require-hashes -r requirements.lock
    # shellcheck disable=SC2086
    .venv/bin/python $install --require-hashes -r requirements-build.lock
    # shellcheck disable=SC2086
    .venv/bin/python $install --no-deps --no-build-isolation -e .
    printf '%s' "$wanted" >"$stamp"
}

main() {
    cd "$(dirname "$0")"
    case "${1-}" in
        --sandbox)
            shift
            set_up_environment
            exec .venv/bin/appliance sandbox "$@"
            ;;
        -h | --help)
            usage
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
}

main "$@"
