"""Between typed records and documents: the names in the database, once for both stores."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from appliance.domain.messages import Message
from appliance.domain.payments import Payment
from appliance.domain.plans import Plan
from appliance.domain.records import Initiation, WebhookMetadata
from appliance.domain.vouchers import Voucher
from appliance.store.port import Document

T = TypeVar("T")

MISSHAPEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What `record` raises for a document that is not of its kind's shape."""
_PLAIN = frozenset({str, int, bool, datetime})

# Where a name in the database is not simply the camelCase of ours.
_NAMES: dict[type, dict[str, str]] = {
    Plan: {"duration": "durationSeconds"},
    Voucher: {"state": "status"},
    Message: {"state": "status"},
    Payment: {
        "state": "status",
        "receipt": "mpesaReceiptNumber",
        "phone": "phoneNumber",
        "checkout_request_id": "CheckoutRequestID",
    },
    Initiation: {
        "checkout_request_id": "CheckoutRequestID",
        "merchant_request_id": "MerchantRequestID",
        "account_reference": "AccountReference",
        "phone_number": "PhoneNumber",
        "amount": "Amount",
    },
    WebhookMetadata: {
        "checkout_request_id": "CheckoutRequestID",
        "merchant_request_id": "MerchantRequestID",
        "result_code": "ResultCode",
        "result_desc": "ResultDesc",
        "trans_id": "TransID",
        "bill_ref_number": "BillRefNumber",
    },
}
# Worked out by the record, stored so that it can be searched by, never read back.
_DERIVED: dict[type, tuple[str, ...]] = {Payment: ("awaits",)}


def document(record: object) -> Document:
    """Return the record as stored; what is None is absent."""
    made = _encode(record)
    for name in _DERIVED.get(type(record), ()):
        if (value := getattr(record, name)) is not None:
            made[_camel(name)] = value
    made["_id"] = made.pop("id")
    if not made.get("version"):
        made.pop("version", None)  # as other programs write: counted from our first change on
    return cast("Document", made)


def record(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Return the typed record; fields of other programs are left alone."""
    reader = _reader(cast("Any", kind))
    return cast("T", reader({**stored, "id": str(stored["_id"])}))


def changes(before: Document, after: Document) -> dict[str, Any]:
    """Return each leaf path that differs, with None for what is gone."""
    found: dict[str, Any] = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            deeper = changes(old, new)
            found.update({f"{name}.{path}": value for path, value in deeper.items()})
        else:
            found[name] = new
    return found


def at(stored: Mapping[str, Any], path: str) -> Any:
    """Return what a document holds at a dotted path; None is what is absent."""
    found: Any = stored
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def put(stored: Document, path: list[str], value: Any) -> None:
    """Set what a document holds at a path; None removes it."""
    head, *rest = path
    if rest:
        put(stored.setdefault(head, {}), rest, value)
    elif value is None:
        stored.pop(head, None)
    else:
        stored[head] = value


@cache
def _shape(kind: type) -> tuple[tuple[str, str, Any], ...]:
    hints = get_type_hints(kind)
    names = _NAMES.get(kind, {})
    return tuple(
        (field.name, names.get(field.name, _camel(field.name)), _inner(hints[field.name]))
        for field in fields(kind)
    )


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _inner(hint: Any) -> Any:
    """Return X of `X | None`, and object for any wider union."""
    if get_origin(hint) not in {Union, UnionType}:
        return hint
    some = [part for part in get_args(hint) if part is not type(None)]
    return some[0] if len(some) == 1 else object


def _encode(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if hasattr(kind, "__dataclass_fields__"):
        made = {}
        for name, wire, _ in _shape(kind):
            inner = getattr(value, name)
            if inner is not None:
                made[wire] = inner if type(inner) in _PLAIN else _encode(inner)
        return made
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    return value


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what makes a value of this type from what is stored, worked out once."""
    if hasattr(kind, "__dataclass_fields__"):
        parts = [(name, wire, _reader(inner)) for name, wire, inner in _shape(kind)]

        def read(stored: Mapping[str, Any]) -> Any:
            given = ((name, reader, stored.get(wire)) for name, wire, reader in parts)
            return kind(**{name: reader(got) for name, reader, got in given if got is not None})

        return read
    if isinstance(kind, type) and issubclass(kind, timedelta):
        return lambda seconds: timedelta(seconds=seconds)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return lambda value: value
