"""The router's refusals, in its own words."""

MISSING, ARGUMENT = 0, 1
"""Trap categories: a missing item or command; an argument's value."""


class Trap(Exception):
    """One `!trap`; many of them carry no category."""

    def __init__(self, message: str, category: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.category = category


def no_menu() -> Trap:
    """Return the refusal of a path that does not exist."""
    return Trap("no such command prefix", MISSING)


def no_command() -> Trap:
    """Return the refusal of a command that its menu does not have."""
    return Trap("no such command", MISSING)


def no_item() -> Trap:
    """Return the refusal of an id that is gone or never was."""
    return Trap("no such item (4)", MISSING)


def unknown_parameter(name: str) -> Trap:
    """Return the refusal of an attribute that does not exist."""
    return Trap(f"unknown parameter {name}")


def missing(name: str) -> Trap:
    """Return the refusal of a command without an argument it needs."""
    return Trap(f"missing value(s) of argument(s) {name}")


def bad_value(name: str) -> Trap:
    """Return the refusal of a value that is not of its argument's kind."""
    return Trap(f"invalid value for argument {name}", ARGUMENT)


def bad_time(name: str) -> Trap:
    """Return the refusal of a time, empty ones included."""
    return Trap(f"invalid time value for argument {name}", ARGUMENT)


def no_permission() -> Trap:
    """Return the refusal of what the group's policy does not hold."""
    return Trap("not enough permissions (9)")


def bad_login() -> Trap:
    """Return the refusal of a sign-in."""
    return Trap("invalid user name or password (6)")
