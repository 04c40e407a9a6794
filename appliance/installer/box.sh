# The box: installed, looked after, and taken away again. Sourced by install.sh.
# shellcheck shell=sh disable=SC2034,SC2154 # the parts share their variables

install_box() {
    check_system
    refuse_restore_over
    install_packages
    name_release
    own_folder "$etc" 0750 "root:root"
    make_user "$service" "$data"
    make_user "$service-tunnel" /nonexistent
    if [ -z "$root" ]; then run chgrp "$service" "$etc"; fi
    own_folder "$etc/credentials" 0700 "root:root"
    own_folder "$etc/tunnel" 0750 "root:$service"
    own_folder "$data" 0700 "$service:$service"
    own_folder "$data/backups" 0700 "$service:$service"
    own_folder "$base" 0755 "root:root"
    own_folder "$base/releases" 0755 "root:root"
    build_release
    settle_settings
    old=$(current)
    if [ -z "$old" ]; then
        install_first
        offer_router
    elif [ "$old" != "$release" ]; then
        upgrade "$old"
    else
        say "$(basename "$release") is installed already"
        place_release "$release"
        if [ -n "$restart" ] || ! is_active; then start_daemon; fi
        becomes_ready || fail "It is not ready. Why: journalctl -u $service." \
            "To go back to the release before: $0 --rollback"
    fi
    run "$base/current/bin/appliance" doctor --config "$settings" || true
    if [ -n "$no_start" ]; then say "not started. To start it: sudo systemctl restart $service"; fi
    say "installed: $(basename "$release"). Its commands: man appliance"
}

# A restore that was cut off holds the data, and is run again.
refuse_restore_over() {
    if [ -n "$restore" ] && [ -f "$settings" ] && [ ! -f "$data/on-hold" ]; then
        fail "This box has settings: $settings. Nothing was restored or changed. To restore here:" \
            "sudo systemctl stop $service && sudo appliance restore $restore"
    fi
}

# What is in the environment or was told by flags is not asked for.
settle_settings() {
    if [ -n "$restore" ]; then
        set -- restore "$restore" --config "$settings"
        if [ -n "$key_file" ]; then set -- "$@" --key-file "$key_file"; fi
        run "$release/bin/appliance" "$@"
        return
    fi
    [ ! -f "$settings" ] || return 0
    set -- setup --config "$settings"
    if [ -n "$yes" ]; then set -- "$@" --yes; fi
    if [ -n "$seed" ]; then set -- "$@" --seed "$seed"; fi
    if [ -n "$password_file" ]; then set -- "$@" --router-password-file "$password_file"; fi
    run "$release/bin/appliance" "$@"
}

offer_router() {
    appliance=$base/current/bin/appliance
    if [ -n "$yes" ] || [ -n "${dry_run-}" ] || [ ! -t 0 ]; then
        say "Set the router up: sudo appliance provision plan --admin admin, then apply"
        return
    fi
    printf 'Set the router up now? Its administrator (empty: later): ' >&2
    read -r admin || return 0
    if [ -z "$admin" ]; then return; fi
    if ! "$appliance" provision plan --admin "$admin" --config "$settings" ||
        ! "$appliance" provision apply --admin "$admin" --config "$settings"; then
        say "Again, when that is mended: sudo appliance provision apply --admin $admin"
    fi
}

uninstall() {
    need_root
    [ -d "$etc" ] || [ -d "$base" ] || fail "Nothing is installed."
    if [ -n "$purge" ]; then confirm_purge; fi
    for unit in "$service" "$service-tunnel"; do
        if systemd_runs; then systemd stop "$unit" || true; fi
        systemd disable "$unit" 2>/dev/null || true
    done
    # Only once nothing is running may what it runs from go.
    run rm -rf "$base"
    if [ -n "$purge" ]; then run rm -rf "$data"; fi
    forget_placed
    if [ -n "$purge" ]; then run rm -rf "$etc"; fi
    if systemd_runs; then systemd daemon-reload; fi
    if [ -z "$purge" ]; then say "kept: $etc and $data. To delete them too: --uninstall --purge"; fi
}

confirm_purge() {
    [ -z "$yes" ] && [ -z "${dry_run-}" ] || return 0
    [ -t 0 ] || fail "--purge deletes every record of a sale: say --yes with it."
    printf 'This deletes %s with every record of a sale, and its backups. Type yes: ' "$data" >&2
    read -r answer
    [ "$answer" = yes ] || fail "Nothing was deleted."
}

# The youngest first, so that a folder is empty when its turn comes.
forget_placed() {
    [ -f "$placed" ] || return 0
    list=$(tac "$placed")
    printf '%s\n' "$list" | while read -r kind what; do
        case $kind in
            file) run rm -f "$what" ;;
            folder) run rmdir "$what" 2>/dev/null || true ;;
            user) if [ -n "$purge" ]; then run userdel "$what" || true; fi ;;
        esac
    done
    [ -n "${dry_run-}" ] || sed -i '/^user /!d' "$placed"
}
