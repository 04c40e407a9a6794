"""The key by which SSH clients know this router again."""

import base64
import hashlib
import os
from io import StringIO
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_RSA_BITS = 2048


def host_key(kept_in: Path | None, *, rsa_only: bool) -> paramiko.PKey:
    """Return the key kept in this folder, or a new one, which is then kept there."""
    kind = "rsa" if rsa_only else "ed25519"
    file = None if kept_in is None else kept_in / f"router_ssh_{kind}.pem"
    if file is not None and file.exists():
        return _loaded(file.read_text())
    text = _made(rsa_only=rsa_only)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(text)
    return _loaded(text)


def fingerprint(public: bytes) -> str:
    """Return a public key's fingerprint as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _made(*, rsa_only: bool) -> str:
    made: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if rsa_only:
        made = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    else:
        made = ed25519.Ed25519PrivateKey.generate()
    return made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _loaded(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.RSAKey):
        try:
            return kind.from_private_key(StringIO(text))
        except paramiko.SSHException:
            continue
    raise ValueError("not a host key")
