# A release: a virtual environment of its own, built beside the one in use, and switched to at once.
# Sourced by install.sh.
# shellcheck shell=sh disable=SC2034,SC2154 # the parts share their variables

fingerprint() {
    (
        cd "$here" || exit
        find appliance portal_templates provisioning -type f ! -name '*.pyc' |
            LC_ALL=C sort | xargs sha256sum
        sha256sum pyproject.toml requirements.lock requirements-build.lock
        # Neither another Python, as after an upgrade of Debian, nor another machine can run it.
        [ -z "$python" ] || "$python" -c 'import platform, sys
print(sys.version_info[:2], platform.machine())'
    ) | sha256sum | cut -c1-64
}

# One of this version that holds something else keeps its place: it may be what we go back to.
name_release() {
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/pyproject.toml" | head -n 1)
    stamp=$(fingerprint)
    release=$base/releases/$version
    if [ -f "$release/.complete" ] && [ "$(cat "$release/.complete")" != "$stamp" ]; then
        release=$release+$(printf '%.8s' "$stamp")
    fi
}

build_release() {
    if [ "$(cat "$release/.complete" 2>/dev/null || true)" = "$stamp" ]; then return; fi
    need_room
    say "building $release"
    run rm -rf "$release"
    run mkdir -p "$release"
    run "$python" -m venv "$release"
    set -- -m pip install --quiet --disable-pip-version-check --no-cache-dir --only-binary :all:
    if [ -n "$wheelhouse" ]; then set -- "$@" --no-index --find-links "$wheelhouse"; fi
    run "$release/bin/python" "$@" --require-hashes -r "$here/requirements.lock" || no_packages
    run "$release/bin/python" "$@" --require-hashes -r "$here/requirements-build.lock"
    run "$release/bin/python" "$@" --no-deps --no-build-isolation "$here"
    [ -z "${dry_run-}" ] || return 0
    write_shared "$release/share"
    # Complete over a power cut too.
    sync -f "$release"
    printf '%s' "$stamp" >"$release/.complete"
}

# A release takes 150 MB, and a box with less than 256 MB free does not call itself ready.
need_room() {
    place=$base
    until [ -d "$place" ]; do place=$(dirname "$place"); done
    free=$(df --output=avail -k "$place" | tail -n 1)
    if [ "$free" -lt "${ROOM_KB:-450000}" ]; then
        fail "Only $((free / 1024)) MB are free at $place, and $((${ROOM_KB:-450000} / 1024)) are needed." \
            "Nothing was changed."
    fi
}

no_packages() {
    if [ "$architecture" = armhf ]; then
        say "Not every package is to be had for armhf; a 64-bit system has them all."
    fi
    fail "The packages could not be installed; above is why. Nothing that runs was changed."
}

write_shared() {
    mkdir -p "$1/man/man1" "$1/bash-completion/completions" "$1/zsh/site-functions" \
        "$1/fish/vendor_completions.d"
    "$release/bin/python" -m appliance.cli.manual >"$1/man/man1/appliance.1"
    for shell in bash zsh fish; do
        case $shell in
            bash) file=bash-completion/completions/appliance ;;
            zsh) file=zsh/site-functions/_appliance ;;
            fish) file=fish/vendor_completions.d/appliance.fish ;;
        esac
        _APPLIANCE_COMPLETE=${shell}_source "$release/bin/appliance" >"$1/$file"
    done
}

current() { readlink "$base/current" || true; }

# The link is replaced, never missing: who starts the service meanwhile gets one or the other.
switch_to() {
    run ln -sfn "$1" "$base/current.new"
    run mv -T "$base/current.new" "$base/current"
    run sync -f "$base"
}

is_active() { systemd_runs && systemctl is-active --quiet "$service"; }

# One that keeps ending is between two starts, and would come back in the middle of it all.
stop_daemon() {
    systemd_runs || return 0
    case $(systemctl is-active "$service" 2>/dev/null || true) in
        inactive | failed | unknown) ;;
        *)
            was_active=yes
            systemd stop "$service"
            ;;
    esac
}

# Not waited for by systemctl: whether it is ready is for the daemon itself to say.
start_daemon() {
    if ! systemd_runs || [ -n "$no_start" ]; then return; fi
    systemd restart --no-block "$service"
    if [ -n "$restart_tunnel" ]; then systemd try-restart --no-block "$service-tunnel"; fi
}

becomes_ready() {
    if ! systemd_runs || [ -n "$no_start" ] || [ -n "${dry_run-}" ]; then return; fi
    say "waiting until it is ready"
    heard "$base/current/bin/appliance" ready --wait "${READY_SECONDS:-60}" --config "$settings"
}

install_first() {
    of_release db init
    if [ -f "$(dirname "$settings")/seed.toml" ]; then
        of_release db seed "$(dirname "$settings")/seed.toml"
    fi
    of_release db migrate
    place_release "$release"
    # Without a key the tunnel's is passed over, and without anything to keep it ends.
    systemd enable "$service"
    systemd enable "$service-tunnel"
    switch_to "$release"
    start_daemon
    if systemd_runs && [ -z "$no_start" ]; then systemd start --no-block "$service-tunnel"; fi
    becomes_ready || fail "It is installed but not ready. Why: journalctl -u $service"
}

of_release() { heard "$release/bin/appliance" "$@" --config "$settings"; }

upgrade() {
    say "upgrading $(basename "$1") to $(basename "$release")"
    must_read_settings "$release"
    back_up "$1" || fail "No backup could be made. Nothing was changed."
    until_judged "$1" "$release"
    # Two versions never work on one file at once.
    stop_daemon
    if ! { of_release db init && of_release db migrate; }; then
        fail "The data could not be brought up to date."
    fi
    judge "$release"
    if [ -z "$no_start" ]; then forget_releases; fi
}

# After an upgrade of Debian the release before has no Python any more.
back_up() {
    with=$1
    [ -n "${dry_run-}" ] || "$1/bin/appliance" --version >/dev/null 2>&1 || with=$release
    heard "$with/bin/appliance" backup "$data/backups/before-upgrade.backup" --keep 3 \
        --config "$settings"
}

# Puts a release in place of the one that ran, and ends the watch over it once it is ready.
judge() {
    run ln -sfn "$(current)" "$base/previous"
    place_release "$1"
    switch_to "$1"
    start_daemon
    becomes_ready || fail "$(basename "$1") is not ready. Why: journalctl -u $service"
    trap - INT TERM EXIT
}

# From here until it is judged, whatever ends this script - a full disk, Ctrl-C - leaves what ran
# running, and nothing of what was built for it.
until_judged() {
    ran=$1 built=${2-}
    before_it=$(readlink "$base/previous" || true)
    was_active=""
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap take_back EXIT
}

# The data stays: money may have come in since the backup, and every version reads what the next
# one wrote.
take_back() {
    code=$?
    trap '' INT TERM
    trap - EXIT
    set +e
    say "going back to $(basename "$ran")"
    [ -z "$was_active" ] || no_start=""
    run rm -f "$base/previous"
    [ -z "$before_it" ] || run ln -s "$before_it" "$base/previous"
    place_release "$ran"
    if [ "$(current)" != "$ran" ]; then switch_to "$ran"; fi
    case $built in
        "" | "$before_it") ;;
        *) run rm -rf "$built" ;;
    esac
    # Else the one that goes would be asked whether the other is ready.
    if [ -z "$no_start" ]; then stop_daemon; fi
    start_daemon
    if [ -n "$no_start" ]; then
        say "It was taken back: $(basename "$ran") stands as before, and was not started."
    elif becomes_ready; then
        say "It was taken back: $(basename "$ran") runs as before."
    else
        say "$(basename "$ran") is not ready either. Why: journalctl -u $service"
    fi
    exit "$code"
}

# A release may not know a setting that a later one brought.
must_read_settings() {
    heard "$1/bin/python" -I -c 'import pathlib, sys
from appliance import settings
try:
    settings.load(pathlib.Path(sys.argv[1]))
except Exception as error:
    sys.exit(str(error))' "$settings" || fail "$(basename "$1") cannot use $settings." \
        "Change there what it names, then again. Nothing was changed."
}

roll_back() {
    need_root
    previous=$(readlink "$base/previous") || fail "There is no previous release."
    [ -f "$previous/.complete" ] || fail "The previous release is gone."
    last=$(current)
    must_read_settings "$previous"
    until_judged "$last"
    stop_daemon
    judge "$previous"
    say "back on $(basename "$previous"); --rollback again returns to $(basename "$last")"
}

forget_releases() {
    for one in "$base"/releases/*; do
        case $one in
            "$(current)" | "$(readlink "$base/previous" || true)") ;;
            *) run rm -rf "$one" ;;
        esac
    done
}
