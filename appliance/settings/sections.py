"""The sections that an operator can set."""

from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from appliance.settings.values import (
    Addresses,
    Colour,
    Headers,
    HostNames,
    Listen,
    MacAddress,
    Money,
    Picture,
    RowName,
    Server,
    WebAddress,
    argon2_hash,
    base32_secret,
    callback_address,
    certificate,
    fernet_keys,
    hex_secret,
    hex_secrets,
    host_key,
    numbers,
    private_key,
)
from appliance.sms import template


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Appliance(_Section):
    """The box itself."""

    name: str = "hotspot"
    """What this box is called; a backup bears it."""
    data_dir: Path = Path("/var/lib/hotspot-appliance")
    """Where the box keeps its data: SQLite, or what waits here for the shared database."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is written to the journal."""
    encryption_keys: Annotated[SecretStr, AfterValidator(fernet_keys)] | None = None
    """Seal paybill secrets at rest: comma-separated, the first seals, each opens."""
    clock: Literal["checked", "trusted"] = "checked"
    """Nothing expires before a time server was heard; `trusted` where the host keeps the time."""
    utc_offset: int = Field(default=180, ge=-720, le=840)
    """How many minutes the operator's clocks are ahead of UTC: when a day of the reports begins."""


class Mongodb(_Section):
    """The shared database; without a URI the box keeps its data in SQLite."""

    uri: SecretStr | None = None
    """`mongodb://USER:PASSWORD@HOST/…`, 4.4 to 8, a replica set or a single server."""
    database: str = Field(default="mikrotik_billing", pattern=r"^[A-Za-z0-9_-]{1,63}$")
    """The database's name; all boxes that share it name the same."""


class Portal(_Section):
    """The customers' door."""

    listen: Listen = "0.0.0.0:8080"  # hotspot customers come from the LAN
    """HOST:PORT, or unix:/path/to/socket."""
    public_url: WebAddress = "http://127.0.0.1:8080"
    """Where customers reach the box: the router's pages lead there."""
    templates_dir: Path | None = None
    """A folder of your own pages, laid over ours: what is not in it stays."""
    brand: str = Field(default="Wi-Fi", min_length=1, max_length=40)
    """What customers see as the name of the hotspot."""
    logo: Picture | None = None
    """A PNG, JPEG or WebP picture of at most 16 KB beside that name; every page carries it."""
    colour: Colour | None = None
    """Like `#0b4d31`: of the band and the buttons, darker or lighter where it could not be read."""
    support_phone: str = Field(default="", max_length=20)
    """Whom customers may call; it is shown on the pages."""
    default_language: Literal["en", "sw"] = "en"
    """The language of whoever's phone asks for neither: English or Swahili."""


class Door(BaseModel):
    """Safaricom's door, as far as it is no secret."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    listen: Listen = "127.0.0.1:8081"
    """HOST:PORT or unix:/path/to/socket, for the tunnel alone."""
    public_url: Annotated[str, AfterValidator(callback_address)]
    """Where Safaricom reaches the box; after a change, `appliance c2b register` once more."""
    seed_paths: bool = False
    """Answer at the paths without a secret too, which the owner's earlier programs registered."""
    client_ip_header: str | None = None
    """The header in which the tunnel says who called, and that no caller can write himself."""


class Webhooks(Door):
    """Safaricom's door."""

    model_config = ConfigDict(extra="forbid")
    path_secret: Annotated[SecretStr, AfterValidator(hex_secret)]
    """In the path of every address that Safaricom is given: `openssl rand -hex 16`."""
    previous_path_secrets: Annotated[SecretStr, AfterValidator(hex_secrets)] | None = None
    """Comma-separated, after a change: payments asked for before are still called back there."""
    allowed_ips: Addresses = ()
    """Safaricom's addresses or networks; without any, those known to this version."""
    enforce_ips: bool = False
    """Turn away everybody else; else it is only written down where a call came from."""

    @model_validator(mode="after")
    def _callers_are_seen(self) -> Self:
        behind_a_tunnel = self.listen.startswith(("unix:", "127.", "localhost:", "[::1]:"))
        if self.enforce_ips and behind_a_tunnel and not self.client_ip_header:
            raise ValueError("client_ip_header must be set where enforce_ips is")
        return self


class Admin(_Section):
    """The operator's door."""

    listen: Listen = "127.0.0.1:8082"
    """HOST:PORT or unix:/path/to/socket; nobody but the operator may reach it."""
    public_url: WebAddress | None = None
    """Where the operator's browser finds it, if not at `listen`: a proxy's https:// address."""
    password_hash: Annotated[SecretStr, AfterValidator(argon2_hash)] | None = None
    """Of the console's password, as `appliance passwd` writes it; without one nobody signs in."""
    totp_secret: Annotated[SecretStr, AfterValidator(base32_secret)] | None = None
    """Of the authenticator that gives a code to sign in with, as `appliance passwd --totp` does."""
    cron_secret: SecretStr | None = Field(default=None, min_length=16, max_length=128)
    """What an outer cron shows to have tokens refreshed; without one it is not let in."""
    metrics_token: SecretStr | None = Field(default=None, min_length=16, max_length=128)
    """What Prometheus shows for `/metrics` from elsewhere; without one only the box itself may."""


class Daraja(_Section):
    """Safaricom's API; only paybills of this environment are sold through."""

    environment: Literal["sandbox", "production"] = "sandbox"
    """Whether the money is real."""
    base_url: WebAddress | None = None
    """The address of a pretend Safaricom; never with real money."""
    c2b_version: Literal["v1", "v2"] = "v2"
    """The C2B product that the app was granted; its addresses bear the version."""
    connect_timeout: float = Field(default=10, gt=0, le=60)
    """Seconds until it is taken as away: nothing was sent yet."""
    read_timeout: float = Field(default=30, gt=0, le=120)
    """Seconds until its silence is taken as an unknown outcome."""
    prompts_per_minute: int = Field(default=120, gt=0)
    """Of all customers together; Safaricom does not say how many it takes."""


class Router(_Section):
    """The router beside the box; SSH is used where its host key is pinned, when the API is out."""

    id: str = Field(default="router", min_length=1, max_length=64)
    """Which hotspot of the database this is; what is sold belongs to it, so keep it."""
    host: str = Field(min_length=1)
    """The router's address."""
    username: str = "appliance"
    """The box's account on it, which `provision apply` makes."""
    password: SecretStr
    """That account's password."""
    api_port: int = Field(default=8728, gt=0, lt=65536)
    """RouterOS's API; 8729 where `api_tls` is not off."""
    api_tls: Literal["off", "pinned", "anonymous"] = "off"
    """`pinned` knows the router's certificate again; `anonymous` only enciphers."""
    api_fingerprint: Annotated[str, AfterValidator(certificate)] | None = None
    """The certificate's SHA-256, 64 hex digits; goes with `pinned`."""
    ssh_port: int = Field(default=22, gt=0, lt=65536)
    """RouterOS's SSH; goes with `ssh_fingerprint`."""
    ssh_fingerprint: Annotated[str, AfterValidator(host_key)] | None = None
    """The host key as `ssh-keyscan ROUTER | ssh-keygen -lf -` prints it; opens the way by SSH."""
    ssh_key: Annotated[SecretStr, AfterValidator(private_key)] | None = None
    """Signs in over SSH instead of the password: a file, or what is in it."""
    timeout: float = Field(default=5, gt=0, le=60)
    """Seconds that the router may take to answer."""

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("api_tls", "off") != "off":
            return {"api_port": 8729, **values}
        return values

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        if (self.api_tls == "pinned") != (self.api_fingerprint is not None):
            raise ValueError("api_fingerprint goes with api_tls = pinned, and must be set there")
        told = self.model_fields_set & {"ssh_port", "ssh_key"}
        if told and self.ssh_fingerprint is None:
            raise ValueError(f"ssh_fingerprint must be set where {min(told)} is")
        return self


class Hotspot(_Section):
    """The router's hotspot as `appliance provision` and the console set it up."""

    server: RowName | None = None
    """Which hotspot, where the router has several."""
    box: IPv4Address | None = None
    """This box's address as the router sees it; without one it is found out."""
    box_mac: MacAddress | None = None
    """Lets the box itself through, where it stands in the hotspot's own network."""
    free_hosts: HostNames = ()
    """Names that customers may reach before they pay: whole ones, without a star."""
    ntp: Server = "pool.ntp.org"
    """Where the router asks for the time."""
    option_114: bool = False
    """Tell phones of the portal by DHCP (RFC 8908); it needs certificates that phones trust."""
    keep_services_open: bool = False
    """Do not limit the router's API and SSH to this box."""


class Backup(_Section):
    """The daily backup; without a directory there is none by itself."""

    directory: Path | None = None
    """Where it goes; besides `data_dir` the daemon may write to /mnt/hotspot-backup alone."""
    keep: int = Field(default=7, ge=1, le=365)
    """How many of them are kept."""
    key: SecretStr | None = Field(default=None, min_length=16)
    """Seals every backup; whoever loses it has none. A passphrase may be it as well."""

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.directory is not None and self.key is None:
            raise ValueError("key must be set where directory is: try `openssl rand -hex 32`")
        return self


class Canary(_Section):
    """A voucher for nobody, put on the router and taken back, to see that sales would work."""

    every: int | None = Field(default=None, ge=5, le=1440)
    """Minutes; without it none is sent by itself."""
    device: MacAddress | None = None
    """The MAC of a device of yours that stays in the hotspot's network: it is logged in too."""


class Sms(_Section):
    """Messages to customers and to the operator; without a provider none is ever written."""

    provider: Literal["none", "africastalking", "http"] = "none"
    """Who sends them; `http` is any other that takes one request for one message."""
    username: str = Field(default="", max_length=64)
    """Of Africa's Talking; `sandbox` is their trial account."""
    api_key: SecretStr | None = Field(default=None, min_length=8)
    """Of Africa's Talking."""
    sender_id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9 ._-]{1,15}$")
    """What customers see as the sender, once it is registered; without one it is the provider's."""
    base_url: WebAddress | None = None
    """For a pretend Africa's Talking."""
    url: SecretStr | None = None
    """Of any other provider; here and in `body`, {to} and {text} are filled in."""
    method: Literal["POST", "GET", "PUT"] = "POST"
    """How `url` is asked."""
    headers: Headers = {}
    """Sent along to `url`; in the environment one a line, `Name: value`."""
    body: SecretStr | None = None
    """JSON, XML or a form, by how it begins."""
    receipts: bool = True
    """Send the code after a payment."""
    reminders: int | None = Field(default=None, ge=1, le=240)
    """Minutes before the end of a customer's time; without it nobody is reminded."""
    alerts_to: Annotated[SecretStr, AfterValidator(numbers)] | None = None
    """The operator's phones, comma-separated."""
    cost_per_message: Money = Field(default=Decimal("0.8"), ge=0, le=100)
    """KES, where the provider does not say."""
    per_minute: int = Field(default=60, ge=1, le=6000)
    """So many messages at most; what is over waits."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.provider == "africastalking" and not (self.username and self.api_key):
            raise ValueError("username and api_key must be set for africastalking")
        if self.provider == "http":
            if self.url is None:
                raise ValueError("url must be set for http")
            address = self.url.get_secret_value()
            if not address.startswith(("https://", "http://")):
                raise ValueError("url must be an http:// or https:// address")
            body = self.body
            template.check(address, None if body is None else body.get_secret_value())
        return self
