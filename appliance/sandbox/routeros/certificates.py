"""The device's certificates: made, signed and shown as `/certificate` does, and really usable."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.tables import Manners, Row, Table, naming, same_name
from appliance.sandbox.routeros.tls import anonymous, certified

_USAGES = (
    "digital-signature",
    "content-commitment",
    "key-encipherment",
    "data-encipherment",
    "key-agreement",
    "key-cert-sign",
    "crl-sign",
    "tls-server",
    "tls-client",
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate with its key."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the certificate, as hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def pem(self, *, with_key: bool) -> str:
        """Return it as text."""
        text = self.certificate.public_bytes(Encoding.PEM)
        if with_key:
            text += self.key.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
        return text.decode()


class Certificates:
    """The table of certificates, and what stands behind the signed ones."""

    def __init__(self, clock: RouterClock) -> None:
        self._clock = clock
        self._signed: dict[str, Signed] = {}
        kinds = {
            "name": values.text,
            "common-name": values.text,
            "subject-alt-name": _alternatives,
            "key-size": values.one_of("1024", "1536", "2048", "4096", "8192"),
            "days-valid": values.whole_number,
            "key-usage": values.several_of(*_USAGES),
            "country": values.text,
            "organization": values.text,
            "state": values.text,
            "locality": values.text,
            "unit": values.text,
            "trusted": values.boolean,
        }
        defaults = {
            "key-size": "2048",
            "days-valid": "365",
            "key-usage": "digital-signature,key-encipherment,data-encipherment,key-cert-sign,"
            "crl-sign,tls-server,tls-client",
            "trusted": "false",
        }
        self.table = Table(
            kinds,
            defaults=defaults,
            required=("name", "common-name"),
            twin=same_name("certificate"),
            manners=Manners(takes_unset=True),
        )

    def sign(self, name: str, authority: str | None) -> None:
        """Make the key and the certificate; by itself, or by another one that may."""
        row = self.table.row_of(name)
        if "fingerprint" in row:
            raise traps.Trap("failure: can not sign already signed certificate")
        by = None if authority is None else self._authority(authority)
        made = _made(row, by, self._clock.date())
        self._signed[row["name"]] = made
        row["fingerprint"] = made.fingerprint
        row["private-key"] = "true"
        row["authority"] = "true" if "key-cert-sign" in row["key-usage"].split(",") else "false"
        if authority is not None:
            row["ca"] = self.table.row_of(authority)["name"]

    def signed(self, name: str) -> Signed | None:
        """Return a certificate that can be used."""
        found = self.table.named(name)
        return None if found is None else self._signed.get(found[1]["name"])

    def context(self, name: str) -> ssl.SSLContext:
        """Return how a service of this certificate speaks TLS; `none` speaks it anonymously."""
        found = self.signed(name)
        return anonymous() if found is None else certified(found.pem(with_key=True))

    def named(self, name: str, value: str) -> str | None:
        """Take the name of a certificate, or none."""
        if value == "none":
            return value
        return naming(self.table)(name, value)

    def _authority(self, name: str) -> Signed:
        found = self._signed.get(self.table.row_of(name)["name"])
        if found is None:
            raise traps.Trap("input does not match any value of ca", traps.ARGUMENT)
        return found


def _made(row: Row, by: Signed | None, now: datetime) -> Signed:
    key = rsa.generate_private_key(public_exponent=65537, key_size=int(row["key-size"]))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, row["common-name"])])
    usages = set(row["key-usage"].split(","))
    is_authority = "key-cert-sign" in usages
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=int(row["days-valid"])))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    alternatives = row.get("subject-alt-name")
    if alternatives:
        names = [_general_name(part) for part in alternatives.split(",")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signer = key if by is None else by.key
    return Signed(key, builder.sign(signer, hashes.SHA256()))


def _general_name(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if kind == "IP":
        return x509.IPAddress(ipaddress.ip_address(value))
    return x509.DNSName(value)


def _alternatives(name: str, value: str) -> str | None:
    """Take names and addresses: `IP:10.5.50.1,DNS:router.lan`."""
    for part in value.split(",") if value else ():
        kind, _, text = part.partition(":")
        if kind == "IP":
            values.address(name, text)
        elif kind != "DNS" or not text:
            raise traps.bad_value(name)
    return value
