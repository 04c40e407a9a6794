# What the box must be and have: Debian, packages, users, folders and files of ours among its own.
# Sourced by install.sh.
# shellcheck shell=sh disable=SC2034,SC2154 # the parts share their variables

need_root() {
    [ -n "$root" ] || [ -n "${dry_run-}" ] || [ "$(id -u)" -eq 0 ] ||
        fail "Please run it as root, with sudo before it."
}

check_system() {
    need_root
    # shellcheck source=/dev/null
    os=$(. "$root/etc/os-release" && printf '%s %s' "$ID" "${VERSION_ID:-0}")
    case $os in
        "debian "1[2-9] | "raspbian "1[2-9]) ;;
        *) fail "This is made for Debian 12 and Raspberry Pi OS 12 or later; here is: $os" ;;
    esac
    machine=$(uname -m)
    case $machine in
        x86_64) architecture=amd64 ;;
        aarch64) architecture=arm64 ;;
        armv7l) architecture=armhf ;;
        *) fail "This is made for amd64, arm64 and armhf; here is: $machine" ;;
    esac
    # A Pi may run a 64-bit kernel over 32-bit programs.
    if command -v dpkg >/dev/null 2>&1; then architecture=$(dpkg --print-architecture); fi
    say "$os, $architecture"
}

install_packages() {
    missing=""
    find_python >/dev/null || missing="$missing python3"
    python=$(find_python) && "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        missing="$missing python3-venv"
    [ -x /usr/bin/ssh ] || missing="$missing openssh-client"
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086 # a list of packages
        need_debian $missing
    fi
    python=$(find_python) || [ -n "${dry_run-}" ] || fail "Python 3.11 or later is needed."
}

make_user() {
    [ -z "$root" ] || return 0
    if getent passwd "$1" >/dev/null; then return; fi
    run useradd --system --user-group --home-dir "$2" --no-create-home \
        --shell /usr/sbin/nologin --comment "Hotspot Appliance" "$1"
    record "user $1"
}

# Everything of ours that lies outside our own folders is written down, to be taken away again.
record() {
    [ -z "${dry_run-}" ] || return 0
    if ! grep -qxF -- "$1" "$placed" 2>/dev/null; then printf '%s\n' "$1" >>"$placed"; fi
}

# With --dry-run a folder is there once it was said to be made.
is_folder() {
    [ -d "$1" ] || case " ${made-} " in *" $1 "*) ;; *) false ;; esac
}

make_folder() {
    if is_folder "$1"; then return; fi
    make_folder "$(dirname "$1")"
    run mkdir -m 0755 "$1"
    made="${made-} $1"
    record "folder $1"
}

own_folder() {
    if is_folder "$1"; then return; fi
    make_folder "$(dirname "$1")"
    run mkdir -m "$2" "$1"
    made="${made-} $1"
    if [ -z "$root" ]; then run chown "$3" "$1"; fi
}

place_file() {
    ! cmp -s "$1" "$2" || return 0
    changed=yes
    make_folder "$(dirname "$2")"
    run install -m 0644 "$1" "$2.new"
    run mv -f "$2.new" "$2"
    record "file $2"
}

place_link() {
    [ "$(readlink "$2" || true)" != "$1" ] || return 0
    make_folder "$(dirname "$2")"
    run ln -sfn "$1" "$2"
    record "file $2"
}

systemd_runs() { [ -d "$root/run/systemd/system" ]; }

# In a tree of its own only where that pretends to have one.
systemd() {
    if [ -n "$root" ] && ! systemd_runs; then return; fi
    if command -v systemctl >/dev/null 2>&1; then run systemctl "$@"; fi
}

systemd_since() {
    has=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${has:-0}" -ge "$1" ]
}

# The units and the rest of a release that the system must see.
place_release() {
    for units in "$1"/lib/python3*/site-packages/appliance/systemd; do :; done
    system=$root/usr/local/lib/systemd/system
    changed=""
    place_file "$units/$service-tunnel.service" "$system/$service-tunnel.service"
    restart_tunnel=$changed
    place_file "$units/$service.service" "$system/$service.service"
    backoff=$root/etc/systemd/system/$service.service.d/backoff.conf
    if systemd_since 254; then place_file "$units/backoff.conf" "$backoff"; fi
    restart=$changed
    if [ -n "$restart" ] && systemd_runs; then systemd daemon-reload; fi
    changed=""
    place_file "$units/journald.conf" "$root/etc/systemd/journald.conf.d/$service.conf"
    if [ -n "$changed" ] && systemd_runs; then systemd restart systemd-journald; fi
    place_link "$base/current/bin/appliance" "$root/usr/local/bin/appliance"
    for shared in man/man1/appliance.1 bash-completion/completions/appliance \
        zsh/site-functions/_appliance fish/vendor_completions.d/appliance.fish; do
        place_link "$base/current/share/$shared" "$root/usr/local/share/$shared"
    done
}
