from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ed25519

from appliance.cli import cli
from appliance.router.line import private_key
from appliance.sandbox.routeros.hostkeys import _written
from appliance.settings import WrongSettings, load
from appliance.settings.reference import sections

GOOD = """
[webhooks]
public_url = "https://pay.example"
path_secret = "0123456789abcdef0123456789abcdef"
[router]
host = "192.168.88.1"
password = "secret"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "appliance.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def wrong(file: Path, more: str, **environ: str) -> str:
    file.write_text(GOOD + more, encoding="utf-8")
    with pytest.raises(WrongSettings) as refusal:
        load(file, environ)
    return str(refusal.value)


def test_what_is_not_set_has_a_default(file: Path) -> None:
    loaded = load(file, {})
    assert loaded.portal.listen == "0.0.0.0:8080"
    assert loaded.mongodb.uri is None
    assert loaded.router.api_port == 8728


def test_a_variable_wins_over_a_credential_and_both_over_the_file(
    file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "router.password").write_text("from a credential\n", encoding="utf-8")
    (folder / "router.username").write_text("from a credential", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(folder), "APPLIANCE_ROUTER__USERNAME": "variable"}
    loaded = load(file, environ)
    assert loaded.router.password.get_secret_value() == "from a credential"
    assert loaded.router.username == "variable"


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"nowhere\.toml is missing"):
        load(tmp_path / "nowhere.toml", {})
    broken = tmp_path / "broken.toml"
    broken.write_text("[router", encoding="utf-8")
    with pytest.raises(WrongSettings, match=r"broken\.toml cannot be read"):
        load(broken, {})


def test_an_unknown_key_is_named(file: Path) -> None:
    assert "router.hots: is not a setting" in wrong(file, 'hots = "x"\n')
    assert "nonsense: is not a setting" in wrong(file, '[nonsense]\nx = "y"\n')
    assert "portal.colour" in wrong(file, "", APPLIANCE_PORTAL__COLOUR="red")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ('[portal]\nlisten = "8080"\n', "portal.listen: must be HOST:PORT"),
        ('[portal]\nlisten = "a:99999"\n', "portal.listen"),
        ('[portal]\ndefault_language = "fr"\n', "portal.default_language"),
        ('[daraja]\nenvironment = "live"\n', "daraja.environment"),
        ("[daraja]\nread_timeout = 0\n", "daraja.read_timeout"),
        ('[mongodb]\ndatabase = "a.b"\n', "mongodb.database"),
        ('[appliance]\nlog_level = "loud"\n', "appliance.log_level"),
        ('[appliance]\nencryption_keys = "AAAA"\n', "appliance.encryption_keys: must be keys"),
        ('[admin]\ncron_secret = "short"\n', "admin.cron_secret"),
        ('[admin]\nmetrics_token = "short"\n', "admin.metrics_token"),
        ('[sms]\nprovider = "pigeon"\n', "sms.provider"),
        ('[sms]\nprovider = "africastalking"\n', "sms: username and api_key must be set"),
        ('[sms]\nprovider = "http"\n', "sms: url must be set"),
        ('[sms]\nprovider = "http"\nurl = "https://x/{to}"\n', "sms: url or body must hold {text}"),
        ('[sms]\nprovider = "http"\nurl = "ftp://x/{to}{text}"\n', "sms: url must be an http"),
        ('[sms]\nalerts_to = "0712345678, 12"\n', "sms.alerts_to: must be Kenyan mobile"),
        ('[sms]\nheaders = {"X Y" = "z"}\n', "sms.headers: must be names"),
        ("[sms]\nper_minute = 0\n", "sms.per_minute"),
        ('[hotspot]\nfree_hosts = ["*.bank.example"]\n', "must be whole host names"),
        ('[hotspot]\nbox_mac = ""\n', "hotspot.box_mac: must be a MAC address"),
        ('[canary]\ndevice = "phone"\n', "canary.device: must be a MAC address"),
        ('[hotspot]\nntp = "a b"\n', "hotspot.ntp: must be a host name"),
        ('[hotspot]\nserver = ""\n', "hotspot.server: must be a name"),
        ('[hotspot]\nbox = "box.lan"\n', "hotspot.box"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(file: Path, more: str, key: str) -> None:
    assert key in wrong(file, more)


SSH = f'ssh_fingerprint = "SHA256:{"A" * 43}"\n'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('api_tls = "on"\n', "router.api_tls"),
        ('api_tls = "pinned"\n', "api_fingerprint goes with api_tls = pinned"),
        (f'api_fingerprint = "{"0" * 64}"\n', "api_fingerprint goes with api_tls = pinned"),
        ('api_tls = "pinned"\napi_fingerprint = "AB:CD"\n', "64 hex digits"),
        ("ssh_port = 2222\n", "router: ssh_fingerprint must be set where ssh_port is"),
        ('ssh_fingerprint = "MD5:00:11"\n', "router.ssh_fingerprint: must be SHA256:..."),
        (f'{SSH}ssh_key = "/nowhere/key"\n', "router.ssh_key: cannot be read"),
        (f"{SSH}ssh_port = 0\n", "router.ssh_port"),
    ],
)
def test_a_router_that_could_not_be_known_again_is_refused(
    file: Path, more: str, said: str
) -> None:
    assert said in wrong(file, more)


def test_a_pinned_certificate_is_taken_as_the_router_or_openssl_shows_it(file: Path) -> None:
    shown = ":".join(["AB"] * 32)
    file.write_text(f'{GOOD}api_tls = "pinned"\napi_fingerprint = "{shown}"\n', encoding="utf-8")
    router = load(file, {}).router
    assert router.api_fingerprint == "ab" * 32
    assert router.api_port == 8729
    file.write_text(f'{GOOD}api_tls = "anonymous"\napi_port = 9999\n', encoding="utf-8")
    assert load(file, {}).router.api_port == 9999


def test_an_ssh_key_is_a_file_or_what_is_in_it_and_does_not_show(
    file: Path, tmp_path: Path
) -> None:
    text = _written(ed25519.Ed25519PrivateKey.generate())
    key = tmp_path / "key"
    key.write_text(text, encoding="utf-8")
    file.write_text(f'{GOOD}{SSH}ssh_key = "{key}"\n', encoding="utf-8")
    by_file = load(file, {})
    file.write_text(f"{GOOD}{SSH}", encoding="utf-8")
    by_text = load(file, {"APPLIANCE_ROUTER__SSH_KEY": text})
    for loaded in (by_file, by_text):
        assert loaded.router.ssh_port == 22
        assert loaded.router.ssh_key is not None
        assert private_key(loaded.router.ssh_key.get_secret_value()).get_name() == "ssh-ed25519"
        assert "OPENSSH" not in repr(loaded)
    key.write_text("rubbish", encoding="utf-8")
    said = wrong(file, f'{SSH}ssh_key = "{key}"\n')
    assert "router.ssh_key: holds no private key" in said
    assert "rubbish" not in said


def test_a_key_whose_halves_do_not_belong_together_is_no_key() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    begin, *lines, end = _written(key).strip().splitlines()
    public = key.public_key().public_bytes_raw()
    before, _, after = b64decode("".join(lines)).rpartition(public)
    damaged = b64encode(before + bytes(32) + after).decode()
    with pytest.raises(ValueError, match="no private key"):
        private_key("\n".join((begin, damaged, end)))


@pytest.mark.parametrize(
    "address",
    ["https://Pay.example", "https://mpesa.example", "https://pay.example/exec", "ftp://x"],
)
def test_an_address_that_safaricom_would_refuse_is_refused_here(file: Path, address: str) -> None:
    assert "webhooks.public_url" in wrong(file, "", APPLIANCE_WEBHOOKS__PUBLIC_URL=address)


def test_a_weak_path_secret_is_refused_and_not_shown(file: Path) -> None:
    said = wrong(file, "", APPLIANCE_WEBHOOKS__PATH_SECRET="hunter2")
    assert "webhooks.path_secret" in said
    assert "hunter2" not in said


def test_secrets_do_not_show_when_settings_are_printed(file: Path) -> None:
    shown = repr(load(file, {}))
    assert "0123456789abcdef" not in shown
    assert "'secret'" not in shown


def test_several_encryption_keys_are_taken_and_not_shown(file: Path) -> None:
    first, second = f"{'A' * 43}=", f"{'B-_' * 14}B="
    given = {"APPLIANCE_APPLIANCE__ENCRYPTION_KEYS": f"{first}, {second}"}
    loaded = load(file, {**given, "APPLIANCE_ADMIN__CRON_SECRET": "0123456789abcdef-cron"})
    assert loaded.appliance.encryption_keys is not None
    assert first not in repr(loaded)
    assert "abcdef-cron" not in repr(loaded)


def test_production_takes_no_pretend_and_no_plain_address(file: Path) -> None:
    real = {"APPLIANCE_DARAJA__ENVIRONMENT": "production"}
    assert "webhooks.public_url must be https" in wrong(
        file, "", APPLIANCE_WEBHOOKS__PUBLIC_URL="http://pay.example", **real
    )
    assert "daraja.base_url must be left out" in wrong(
        file,
        "",
        APPLIANCE_WEBHOOKS__PUBLIC_URL="https://pay.example",
        APPLIANCE_DARAJA__BASE_URL="https://pretend.example",
        **real,
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('allowed_ips = ["196.201.212.300"]', "must be IP addresses"),
        ('previous_path_secrets = "short"', "must be 32 to 128 hex digits"),
        ("enforce_ips = true", "client_ip_header must be set where enforce_ips is"),
    ],
)
def test_callers_that_nobody_could_be_refuse_to_start(file: Path, more: str, message: str) -> None:
    text = GOOD.replace("[router]", f"{more}\n[router]")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(WrongSettings, match=message):
        load(file, {})


def test_addresses_may_come_from_the_environment(file: Path) -> None:
    listed = {"APPLIANCE_WEBHOOKS__ALLOWED_IPS": "196.201.212.0/24, 2001:db8::1"}
    assert load(file, listed).webhooks.allowed_ips == ("196.201.212.0/24", "2001:db8::1")
    exposed = {"APPLIANCE_WEBHOOKS__LISTEN": "0.0.0.0:443", "APPLIANCE_WEBHOOKS__ENFORCE_IPS": "1"}
    assert load(file, exposed).webhooks.enforce_ips


def test_what_messages_are_sent_with_is_known_as_secret(file: Path) -> None:
    more = """[sms]
provider = "http"
url = "https://sms.example/send?key=in-the-address&to={to}"
body = "text={text}"
alerts_to = "0712 345 678,0110000000"
"""
    file.write_text(GOOD + more, encoding="utf-8")
    loaded = load(file, {"APPLIANCE_SMS__HEADERS": "Authorization: Bearer abcdefgh\nX-Shop: one"})
    assert set(loaded.sms.headers) == {"Authorization", "X-Shop"}
    secrets = loaded.secrets()
    assert {"254712345678", "254110000000", "Bearer abcdefgh"} <= set(secrets)
    assert any("in-the-address" in secret for secret in secrets)
    assert "in-the-address" not in repr(loaded)
    assert "abcdefgh" not in repr(loaded)


def test_the_page_on_the_settings_is_what_the_program_says() -> None:
    page = Path(__file__).parents[2] / "docs/settings.md"
    said = CliRunner().invoke(cli, ["settings"]).output
    assert page.read_text(encoding="utf-8") == said, "appliance settings > docs/settings.md"


def test_every_setting_says_what_it_means_and_which_are_secret() -> None:
    told = [one for section in sections() for one in section.settings]
    assert [f"{one.section}.{one.key}" for one in told if not one.meaning] == []
    assert {f"{one.section}.{one.key}" for one in told if one.secret} == {
        *(
            "admin.cron_secret",
            "admin.metrics_token",
            "appliance.encryption_keys",
            "backup.key",
            "mongodb.uri",
        ),
        *("router.password", "router.ssh_key", "webhooks.path_secret"),
        *("webhooks.previous_path_secrets", "admin.password_hash", "admin.totp_secret"),
        *("sms.url", "sms.body", "sms.headers", "sms.api_key", "sms.alerts_to"),
    }


def test_the_variable_that_is_told_of_a_setting_sets_it(file: Path) -> None:
    (said,) = (
        one
        for section in sections()
        for one in section.settings
        if (one.section, one.key) == ("portal", "brand")
    )
    assert said.default == load(file, {}).portal.brand
    assert load(file, {said.variable: "Mama"}).portal.brand == "Mama"
