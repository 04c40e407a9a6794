# A virtual environment in the checkout, for the sandbox. Sourced by install.sh.
# shellcheck shell=sh disable=SC2034,SC2154 # the parts share their variables

set_up_environment() {
    python=$(find_python) || { need_debian python3 python3-venv && python=$(find_python); } ||
        fail "Python 3.11 or later is needed."
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_debian python3-venv
    # A virtual environment cut off half-way is made anew; a finished one is stamped.
    wanted=$("$python" --version | cat requirements.lock pyproject.toml - | cksum)
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
