#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # every test has a shell of its own
# What install.sh makes of its flags; a whole box's life is in debian.py.

bats_require_minimum_version 1.5.0

setup() {
    here=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export DESTDIR=$BATS_TEST_TMPDIR/tree
    mkdir -p "$DESTDIR/etc" "$DESTDIR/opt" "$DESTDIR/var/lib" "$DESTDIR/usr/local"
    printf 'ID=debian\nVERSION_ID="12"\n' >"$DESTDIR/etc/os-release"
    before=$(everything)
}

everything() { (cd "$DESTDIR" && find . -type f -exec sha256sum {} + -o -print | sort); }

untouched() { [ "$(everything)" = "$before" ]; }

says() { [[ $output == *"$1"* ]] || { echo "not said: $1, but: $output" && false; }; }

# Run it and look that it ends with this code.
install_sh() {
    local code=$1
    shift
    run "-$code" /bin/sh "$here/install.sh" "$@" </dev/null
}

# Cut within a function it is no script at all: its shell complains, and no more.
does_nothing() {
    local part=$BATS_TEST_TMPDIR/install.sh said
    cat >"$part"
    said=$(/bin/sh "$part" --yes 2>&1) || true
    [[ -z $said || $said =~ ^"$part: "[0-9]+": "[^$'\n']+$ ]] || { echo "$said" && false; }
}

# It holds what nobody may lose, or be locked out of.
records() {
    mkdir -p "$DESTDIR/var/lib/hotspot-appliance" "$DESTDIR/etc/hotspot-appliance"
    touch "$DESTDIR/var/lib/hotspot-appliance/appliance.sqlite3"
}

@test "an unknown flag shows the usage, ends with 2 and does nothing" {
    install_sh 2 --surprise
    says "unknown: --surprise"
    says "usage: sudo ./install.sh"
    untouched
}

@test "so does a word that is no flag" {
    install_sh 2 install
    says "usage: sudo ./install.sh"
    untouched
}

@test "every flag that takes a value asks for it" {
    for flag in --router-host --router-user --router-password-file --public-url --portal-url \
        --environment --tunnel --seed --restore --key-file --offline; do
        install_sh 2 "$flag"
        says "$flag needs a value"
    done
    untouched
}

@test "a kind of tunnel or an environment that does not exist is refused before all else" {
    install_sh 2 --tunnel carrier-pigeon
    says "--tunnel is one of: none ssh cloudflared wireguard"
    install_sh 2 --environment Production
    says "--environment is one of: production sandbox"
    untouched
}

@test "--purge goes with --uninstall alone" {
    install_sh 2 --purge
    install_sh 2 --rollback --purge
    says "--purge goes with --uninstall"
    untouched
}

@test "--help names every flag and ends well" {
    install_sh 0 --help
    for flag in $(grep -oE '^ +(--[a-z-]+ \| )*--[a-z-]+(\)| \|)' "$here/install.sh" | tr -d ' )' | tr '|' ' '); do
        says "$flag"
    done
    says "--sandbox"
    untouched
}

@test "half a download does nothing, wherever it ends" {
    local size whole
    size=$(wc -c <"$here/install.sh")
    whole=$(wc -l <"$here/install.sh")
    ln -s "$here/appliance" "$BATS_TEST_TMPDIR"
    for line in $(seq 1 "$((whole - 1))"); do
        head -n "$line" "$here/install.sh" | does_nothing
    done
    # The last line, which calls what is above, to its very last brace.
    for byte in $(seq "$((size - 15))" "$((size - 2))"); do
        head -c "$byte" "$here/install.sh" | does_nothing
    done
    untouched
}

@test "--dry-run says every step in its order, and takes none" {
    install_sh 0 --dry-run --yes --offline /wheels
    for step in "mkdir -m 0750" "-m venv" "--require-hashes" "--find-links /wheels" \
        "setup --config" "db init" "db migrate" "mv -T" "sync -f" "appliance doctor"; do
        says "$step"
    done
    # Switched to when the data is ready; a power cut leaves what was switched to.
    [[ $output == *"db migrate"*"mv -T"*"sync -f"* ]]
    untouched
}

@test "--dry-run --uninstall takes nothing away" {
    records
    before=$(everything)
    install_sh 0 --dry-run --uninstall --purge
    says "rm -rf $DESTDIR/var/lib/hotspot-appliance"
    untouched
}

@test "--offline without its packages ends before anything is switched to" {
    install_sh 1 --yes --offline "$BATS_TEST_TMPDIR/no-wheels"
    says "Nothing that runs was changed"
    [ ! -e "$DESTDIR/opt/hotspot-appliance/current" ]
    [ ! -e "$DESTDIR/etc/hotspot-appliance/appliance.toml" ]
}

@test "--restore over a box that has settings is refused in words" {
    mkdir "$DESTDIR/etc/hotspot-appliance"
    touch "$DESTDIR/etc/hotspot-appliance/appliance.toml"
    before=$(everything)
    install_sh 1 --yes --restore /box.backup
    says "Nothing was restored"
    says "appliance restore /box.backup"
    untouched
}

@test "--restore that was cut off is run again" {
    records
    touch "$DESTDIR/etc/hotspot-appliance/appliance.toml"
    touch "$DESTDIR/var/lib/hotspot-appliance/on-hold"
    install_sh 0 --dry-run --yes --restore /box.backup
    says "bin/appliance restore /box.backup"
}

@test "another system is refused" {
    for system in 'ID=alpine' 'ID=debian\nVERSION_ID="11"'; do
        printf '%b\n' "$system" >"$DESTDIR/etc/os-release"
        before=$(everything)
        install_sh 1 --yes
        says "Debian 12"
        untouched
    done
}

@test "what is not installed is neither taken away nor gone back from" {
    install_sh 1 --uninstall
    says "Nothing is installed"
    install_sh 1 --rollback
    says "no previous release"
    untouched
}

@test "records are not purged unasked" {
    records
    install_sh 1 --uninstall --purge
    says "say --yes"
    install_sh 0 --uninstall
    says "To delete them too: --uninstall --purge"
    [ -e "$DESTDIR/var/lib/hotspot-appliance/appliance.sqlite3" ]
    install_sh 0 --uninstall --purge --yes
    [ ! -e "$DESTDIR/var/lib/hotspot-appliance" ]
    [ ! -e "$DESTDIR/etc/hotspot-appliance" ]
}

@test "a box is changed by root alone" {
    [ "$(id -u)" -eq 0 ] || skip "only root can be somebody else"
    unset DESTDIR
    # In one piece, from standard input: whoever that is may not enter this folder.
    grep -v '^    [.] ' "$here/install.sh" |
        cat "$here"/appliance/installer/*.sh - >"$BATS_TEST_TMPDIR/whole.sh"
    cd /
    for flag in --yes --uninstall --rollback; do
        run -1 setpriv --reuid=65534 --clear-groups /bin/sh -s -- "$flag" \
            <"$BATS_TEST_TMPDIR/whole.sh"
        says "as root"
    done
}
