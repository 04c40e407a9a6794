#!/bin/sh
# Sets the appliance up: on a box beside a router as root, or as a sandbox in this folder.
set -eu

usage() {
    cat <<'USAGE'
usage: sudo ./install.sh [OPTION]...        install on this box, or upgrade what is there
       sudo ./install.sh --rollback         go back to the release before
       sudo ./install.sh --uninstall [--purge]
       ./install.sh --sandbox [--offset N] [--autopay SECONDS] [--data-dir DIR]
                              [--router-latency MS] [--mongodb URI]

What a new box has to be told, else it is asked for:
  --router-host ADDRESS          the router beside it
  --router-user NAME             the box's account there (appliance)
  --router-password-file FILE    and its password (one is made)
  --public-url URL               where Safaricom reaches the box: https://...
  --portal-url URL               where customers reach it: http://ADDRESS:8080
  --environment NAME             of M-Pesa: production or sandbox (production)
  --tunnel KIND                  for its calls: none, ssh, cloudflared or wireguard (none);
                                 what else of it as APPLIANCE_TUNNEL__..., see
                                 docs/settings.md; so every other setting
  --seed FILE                    paybills, owners, routers and plans, as TOML
  --restore FILE [--key-file F]  instead: everything from a backup

  --yes                  ask nothing
  --no-start             install, but start nothing
  --offline WHEELHOUSE   take packages from this folder alone
  --dry-run              say what would be done, and do nothing
  --uninstall            take the programs away; settings and records stay
  --purge                with --uninstall: those too
  --sandbox              the whole product beside a pretend Safaricom, phone and
                         router, from a virtual environment here; everything
                         after it goes to `appliance sandbox`
USAGE
}

wrong() {
    printf '%s\n\n' "$*" >&2
    usage >&2
    exit 2
}

places() {
    # Somewhere else than /, for tests: no packages, no users, no owners.
    root=${DESTDIR-}
    service=hotspot-appliance
    base=$root/opt/$service
    etc=$root/etc/$service
    data=$root/var/lib/$service
    settings=$etc/appliance.toml
    placed=$etc/placed
    [ -z "$root" ] || export APPLIANCE_APPLIANCE__DATA_DIR="$data"
}

parse() {
    task=install_box
    yes="" no_start="" wheelhouse="" dry_run="" purge="" seed="" restore="" key_file=""
    password_file=""
    while [ $# -gt 0 ]; do
        case $1 in
            --router-host | --router-user | --router-password-file | --public-url | \
                --portal-url | --environment | --tunnel | --seed | --restore | --key-file | --offline)
                [ $# -ge 2 ] || wrong "$1 needs a value"
                take "$1" "$2"
                shift
                ;;
            --yes) yes=yes ;;
            --no-start) no_start=yes ;;
            --dry-run) dry_run=yes ;;
            --rollback) task=roll_back ;;
            --uninstall) task=uninstall ;;
            --purge) purge=yes ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) wrong "unknown: $1" ;;
        esac
        shift
    done
    [ -z "$purge" ] || [ "$task" = uninstall ] || wrong "--purge goes with --uninstall"
}

one_of() {
    flag=$1 given=$2
    shift 2
    for name; do
        if [ "$given" = "$name" ]; then return; fi
    done
    wrong "$flag is one of: $*"
}

# The environment variables are those of the settings.
take() {
    case $1 in
        --router-host) export APPLIANCE_ROUTER__HOST="$2" ;;
        --router-user) export APPLIANCE_ROUTER__USERNAME="$2" ;;
        --router-password-file) password_file=$2 ;;
        --public-url) export APPLIANCE_WEBHOOKS__PUBLIC_URL="$2" ;;
        --portal-url) export APPLIANCE_PORTAL__PUBLIC_URL="$2" ;;
        --environment)
            one_of "$1" "$2" production sandbox
            export APPLIANCE_DARAJA__ENVIRONMENT="$2"
            ;;
        --tunnel)
            one_of "$1" "$2" none ssh cloudflared wireguard
            export APPLIANCE_TUNNEL__KIND="$2"
            ;;
        --seed) seed=$2 ;;
        --restore) restore=$2 ;;
        --key-file) key_file=$2 ;;
        --offline) wheelhouse=$2 ;;
    esac
}

main() {
    umask 022
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    # shellcheck source=appliance/installer/common.sh
    . "$here/appliance/installer/common.sh"
    # shellcheck source=appliance/installer/sandbox.sh
    . "$here/appliance/installer/sandbox.sh"
    # shellcheck source=appliance/installer/system.sh
    . "$here/appliance/installer/system.sh"
    # shellcheck source=appliance/installer/release.sh
    . "$here/appliance/installer/release.sh"
    # shellcheck source=appliance/installer/box.sh
    . "$here/appliance/installer/box.sh"
    if [ "${1-}" = --sandbox ]; then
        shift
        cd "$here"
        set_up_environment
        exec .venv/bin/appliance sandbox "$@"
    fi
    parse "$@"
    places
    # A line that drops ends nothing: neither its signal, nor that nobody reads any more.
    trap '' HUP PIPE
    "$task"
}

{ main "$@"; }
