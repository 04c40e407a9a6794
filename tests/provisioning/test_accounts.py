"""What the box's own account may do on the router, as far as the router shows it."""

import pytest

from provisioning.preflight import troubles
from provisioning.trouble import Level
from provisioning.visit import Look
from tests.provisioning.routers import a_wish
from tests.provisioning.test_preflight import GOOD, NOW, found, only


def may(policy: str, **more: str) -> dict[str, list[dict[str, str]]]:
    """Return the tables in which the box's own account may do this."""
    return {
        "user": [{"name": "box", "group": "hand", **more}],
        "user__group": [{"name": "hand", "policy": policy}],
    }


@pytest.mark.parametrize(
    ("policy", "ssh", "lacks"),
    [
        ("read,write,api,ssh,!policy", True, None),
        ("read,write,api,!ssh", False, None),
        ("read,write,api,!ssh", True, "lacks the policy ssh"),
        ("read,api,!write", False, "lacks the policy write"),
        ("!read,!write,!api", False, "lacks the policy read, write, api"),
    ],
)
def test_an_account_that_somebody_made_says_which_policies_it_lacks(
    policy: str,
    ssh: bool,  # noqa: FBT001
    lacks: str | None,
) -> None:
    said = found(a_wish(ssh=ssh), **may(policy))
    assert [trouble.what for trouble in said] == ([f"the account box {lacks}"] if lacks else [])
    assert all(trouble.level is Level.FAIL for trouble in said)
    assert all("/user set box group=hotspot-box" in trouble.fix for trouble in said)


def test_the_account_that_apply_made_is_mended_by_apply() -> None:
    assert found(None, **may("read,api", comment="hotspot-appliance")) == []


@pytest.mark.parametrize(
    ("tables", "barred"),
    [
        ({"/user": [{"name": "box", "group": "hand"}]}, ("/user/group",)),
        ({}, ("/user", "/user/group")),
        ({"/user": [], "/user/group": []}, ()),
        ({"/user": [{"name": "box", "group": "x"}], "/user/group": [{"name": "x"}]}, ()),
    ],
)
def test_an_account_whose_policies_are_not_shown_is_not_blamed(
    tables: dict[str, list[dict[str, str]]], barred: tuple[str, ...]
) -> None:
    refused = dict.fromkeys(barred, "not enough permissions (9)")
    seen = Look({**GOOD, **tables}, refused)
    trouble = only(troubles(a_wish(), seen, "box", NOW))
    assert (trouble.level, "does not show" in trouble.what) == (Level.WARN, True)
    assert [t.level for t in troubles(a_wish(), seen, "admin", NOW)] == [Level.FAIL][: len(barred)]


def test_an_account_that_may_look_at_nothing_says_what_it_needs() -> None:
    seen = Look({}, dict.fromkeys(("/user", "/ip/hotspot"), "not enough permissions (9)"))
    trouble = only(troubles(a_wish(), seen, "box", NOW))
    assert (trouble.level, "may not look at" in trouble.what) == (Level.FAIL, True)
    assert "policy=read,write,api" in trouble.fix
