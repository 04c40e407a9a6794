"""What the accounts may do: the one that signs in, and the box's own."""

from collections.abc import Iterable, Iterator

from provisioning.facts import is_seven
from provisioning.rows import FILES, TAG, Change, Kind, Row
from provisioning.trouble import Trouble, fail, warn
from provisioning.visit import Look
from provisioning.wish import Wish

_ACCOUNTS = frozenset({"/user", "/user/group"})


def lacking(changes: Iterable[Change], seen: Look, username: str) -> list[Trouble]:
    """Return what the account that signs in may not do of these changes."""
    held = _policies(seen, username)
    menus = {change.menu for change in changes if change.kind is not Kind.REMOVE}
    admin = "sign in as an administrator: --admin NAME"
    if held is None or not menus:
        return []
    found = []
    if "write" not in held:
        found.append(fail(f"the account {username} may look and not change", admin))
    if menus & _ACCOUNTS and "policy" not in held:
        found.append(fail(f"the account {username} may not make accounts", admin))
    if FILES in menus and not is_seven(seen.tables) and "test" not in held:
        found.append(
            fail(
                "RouterOS 6 fetches its pages from this box, and the account "
                f"{username} may not (policy test)",
                admin,
            )
        )
    return found


def _user(seen: Look, username: str) -> Row:
    return next((r for r in seen.tables.get("/user", []) if r.get("name") == username), {})


def _policies(seen: Look, username: str) -> list[str] | None:
    """Return what an account may do; None where that cannot be seen."""
    named = _user(seen, username).get("group")
    groups = seen.tables.get("/user/group", [])
    group = next((r for r in groups if r.get("name") == named), None)
    return group["policy"].split(",") if group and group.get("policy") else None


def permissions(wish: Wish, seen: Look, username: str) -> Iterator[Trouble]:
    """Yield what who signs in may not see, and what the box's own account may not do."""
    barred = [menu for menu, words in seen.refused.items() if "not enough permissions" in words]
    if username != wish.username and barred:
        yield fail(
            f"the account {username} may not look at {', '.join(barred)}",
            "sign in as an administrator: --admin NAME",
        )
    elif not _ACCOUNTS.issuperset(barred):
        yield fail(
            f"the account {username} may not look at {', '.join(barred)}",
            f"appliance provision apply --admin NAME where that made it; else {_mend(wish)}",
        )
    elif username == wish.username and not _ACCOUNTS.isdisjoint({*seen.tables, *barred}):
        yield from _unseen(wish, seen)
    yield from _own_account(wish, seen)


def _unseen(wish: Wish, seen: Look) -> Iterator[Trouble]:
    """Say that nobody knows what the box's account may do: it signed in, and is not shown."""
    if _policies(seen, wish.username) is None:
        yield warn(
            f"the router does not show what the account {wish.username} may do",
            f"on the router, see that it may {wish.policies}: /user print, /user group print",
        )


def _own_account(wish: Wish, seen: Look) -> Iterator[Trouble]:
    """See that the box's account may do its work and no more; apply keeps the one it made."""
    held = _policies(seen, wish.username)
    if held is None:
        return
    if _user(seen, wish.username).get("comment") == TAG:
        if "policy" in held:
            yield warn(
                f"the box's own account {wish.username} may make itself anything",
                "run apply: its group gets back to what it needs",
            )
        return
    lacks = [policy for policy in wish.policies.split(",") if policy not in held]
    if lacks:
        yield fail(f"the account {wish.username} lacks the policy {', '.join(lacks)}", _mend(wish))


def _mend(wish: Wish) -> str:
    """Return how an account that somebody made gets what it needs, and nobody else with it."""
    return (
        f"on the router: /user group add name=hotspot-box policy={wish.policies}; "
        f"/user set {wish.username} group=hotspot-box"
    )
