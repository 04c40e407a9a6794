"""Where fuzzing begins: what Safaricom and a router really say."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.sandbox.routeros.sentences import encoded

_RECORDED = Path(__file__).parents[1] / "recorded" / "daraja"
_ROW = {
    ".id": "*1",
    "name": "ABC3DEF4GH",
    "user": "ABC3DEF4GH",
    "mac-address": "02:00:00:00:00:05",
    "address": "127.0.1.5",
    "to-address": "10.5.50.5",
    "uptime": "1w2d3h4m5s",
    "limit-uptime": "1h",
    "limit-bytes-total": "1000",
    "bytes-in": "7",
    "authorized": "true",
    "disabled": "false",
    "comment": "hotspot-appliance",
    "version": "7.21 (stable)",
}
_WORDS = [f"={name}={value}" for name, value in _ROW.items()]
_DONE = encoded(["!done"])
_ROWS = encoded(["!re", *_WORDS, ".tag=1"]) + encoded(["!done", ".tag=1"])
_TRAP = encoded(["!trap", "=message=no such item", ".tag=1"]) + encoded(["!done", ".tag=1"])
_OLD = encoded(["!done", "=ret=" + "0a" * 16])
_TEXTS = ("1w2d3h4m5s", "02:30:00", "1w2d02:30:00", "02-00-00-00-00-05", "already have user")
_PRINTED = (
    "@begins.\r\n@ends.\r\n",
    "@begins.\r\n@row.@value.*1@value.ABC3DEF4GH@value.@done.\r\n@ends.\r\n",
    "@begins.\r\nfailure: already have user with this name\r\n",
    "syntax error (line 1 column 9)\r\n",
)
_SAID = (
    ["/ip/hotspot/user/print", "=.proplist=.id,name", "?name=admin", "?#!"],
    ["/ip/hotspot/user/add", "=name=x", "=limit-uptime=1h", ".tag=1"],
    ["/ip/hotspot/active/login", "=user=x", "=ip=127.0.1.5"],
    ["/system/clock/set", "=date=2026-11-27", "=time=10:00:00"],
)
_SCRIPTS = (
    '/ip hotspot user add name=x limit-uptime=1h comment="a "b""',
    ':foreach i in=[/ip hotspot user find name~"^a"] do={:put [/ip hotspot user get $i name]}',
    ':local a {1;2;x=3}; :if (($a->"x") > 2 && !(1 = 2)) do={:put ("$a" . 7 / 2)}',
    ':do {:put [:pick "abc" 0 2]; :error "no"} on-error={:put [:tostr [:tonum "12"]]}',
    "/ip hotspot user print detail where name=admin or disabled=no",
    ":for i from=1 to=3 do={:put (1 << $i)}; :while (false) do={}; /export",
)
_STATEMENT = (
    "\ufeffShort Code:,174379\n\nReceipt No.,Completion Time,Details,Transaction Status,Paid In\n"
    'UKN7K2M9QX,2026-11-23 15:02:11,"Pay Bill",Completed,"1,050.00"\n'
)


_DEEP = b"[" * 4000
_JSON_WORDS = (
    *("ResultCode", "CheckoutRequestID", "CallbackMetadata", "Item", "Name", "Value", "Amount"),
    *("MpesaReceiptNumber", "Body", "stkCallback", "TransID", "TransAmount", "Response", "Result"),
    *("BusinessShortCode", "ResultParameters", "ResultParameter", "Key", "errorCode", "fault"),
    *(
        "null",
        "true",
        "1e999",
        "-1E-9999",
        "NaN",
        "Infinity",
        "9" * 40,
        "\\ud800",
        "[{",
        "}]",
        '"0"',
    ),
)
_CONSOLE_WORDS = (
    *(":put", ":local", ":global", ":set", ":if", ":for", ":foreach", ":while", ":do", ":error"),
    *(":pick", ":tostr", ":tonum", ":totime", ":parse", ":serialize", ":deserialize", ":len"),
    *("/ip/hotspot/user", "/system clock", "/file", "/export", "/import", "print", "find where"),
    *(
        " detail",
        " from=",
        " to=",
        " in=",
        " do={",
        " on-error={",
        " else={",
        "as-value",
        "~",
        "->",
    ),
    *("{1;2;x=3}", '"$a"', "($a . $b)", "<<", "!=", "in 10.0.0.0/8", "1w2d", "0xff", "\\_", "*1"),
)
_STATEMENT_WORDS = (
    *("Receipt No.,", "Completion Time,", "Paid In", "Transaction Status", "Completed", "1E9", "_"),
    *("0001-01-01 00:00:00", "31/12/9999 23:59:59", "1,050.00", "Infinity", '""', "\r", "\u2028"),
)


def seeds(target: str) -> list[bytes]:
    """Return what this target is first given."""
    messages = [*(path.read_bytes() for path in sorted(_RECORDED.glob("*.json"))), _DEEP]
    scripts = [text.encode() for text in _SCRIPTS]
    found = {
        "router_answers": [
            bytes((which,)) + login + answer * 2
            for which in range(9)
            for login, answer in ((_DONE, _ROWS), (_DONE, _TRAP), (_OLD + _DONE, _ROWS))
        ],
        "console_answers": [
            bytes((which | 0x80,)) + text.encode() for which in range(9) for text in _PRINTED
        ],
        "router_texts": [text.encode() for text in _TEXTS],
        "ssh_keys": _keys(),
        "pretend_api": [b"\0" + encoded(words) for words in _SAID],
        "pretend_grammar": [b"\0" + script for script in scripts],
        "pretend_console": [b"\0" + script for script in scripts],
        "pretend_import": [script.replace(b"; ", b"\n") for script in scripts],
        "daraja_answers": [bytes((code,)) + body for code in (0, 6) for body in messages],
        "statements": [_STATEMENT.encode(), _STATEMENT.replace("\n", "\r\n").encode("utf-16")],
    }
    return found.get(target, messages)


def _keys() -> list[bytes]:
    """Return a key of each kind, as OpenSSH writes it; nobody's."""
    kinds = (Ed25519PrivateKey.from_private_bytes(b"7" * 32), derive_private_key(7, SECP256R1()))
    form = (Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return [key.private_bytes(*form) for key in kinds]


def dictionary(target: str) -> list[bytes]:
    """Return words that chance would take long to find."""
    if target in {"router_answers", "pretend_api"}:
        said = [
            "!re",
            "!done",
            "!trap",
            "!empty",
            "!fatal",
            ".tag=1",
            "=ret=",
            "=message=",
            *_WORDS,
        ]
        return [encoded([word])[:-1] for word in said]
    words = {
        "console_answers": (
            "@begins.",
            "@ends.",
            "@row.",
            "@value.",
            "@done.",
            "(line 1 column 9)",
        ),
        "pretend_grammar": _CONSOLE_WORDS,
        "pretend_console": _CONSOLE_WORDS,
        "pretend_import": _CONSOLE_WORDS,
        "statements": _STATEMENT_WORDS,
        "router_texts": ("9" * 20, "99999999w", "00:00:", "\u0660", "uptime limit", "interrupted"),
    }
    return [word.encode() for word in words.get(target, _JSON_WORDS)]
