#!/bin/sh
# Makes sure of the Debian packages that the tests drive: bats, a browser, curl, nginx, shellcheck,
# SSH, man, and systemd's own look at our units (it is never started).
set -eu

missing=""
command -v bats >/dev/null 2>&1 || missing="$missing bats"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light"
command -v shellcheck >/dev/null 2>&1 || missing="$missing shellcheck"
command -v ssh >/dev/null 2>&1 || missing="$missing openssh-client"
[ -x /usr/sbin/sshd ] || command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
[ -x /usr/bin/systemd-analyze ] || missing="$missing systemd"
[ -x /usr/bin/man ] || missing="$missing man-db"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    # The tests start what they need themselves: no service is to run because of them.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "These Debian packages are missing:$missing" >&2
    echo "Please run: sudo apt-get install$missing" >&2
    exit 1
fi
