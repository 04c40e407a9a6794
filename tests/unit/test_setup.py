"""`appliance setup` and what it is told by environment variables."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import cli as commands
from appliance.app import provision
from appliance.cli import cli, setup
from appliance.settings import Settings, WrongSettings, load
from appliance.settings.tunnel import Ssh, Wireguard
from tests.unit.test_install import BOX, HOST_KEY

KEY, OTHER_KEY = f"{'A' * 43}=", f"{'B' * 42}A="
SSH = {
    "APPLIANCE_TUNNEL__KIND": "ssh",
    "APPLIANCE_TUNNEL__HOST": "vps.example",
    "APPLIANCE_TUNNEL__HOST_KEY": HOST_KEY,
}
WIREGUARD = {
    "APPLIANCE_TUNNEL__HOST": "vps.example",
    "APPLIANCE_TUNNEL__PUBLIC_KEY": KEY,
    "APPLIANCE_TUNNEL__BOX_PUBLIC_KEY": OTHER_KEY,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "appliance.toml"


def said(file: Path, *words: str, **variables: str) -> Result:
    """Run it with nobody to be asked."""
    line = ["setup", "--config", str(file), "--yes", *BOX, *words]
    return CliRunner(env=variables).invoke(cli, line)


def told(file: Path, *words: str, **variables: str) -> Result:
    """Run it, and see that it takes what it is told."""
    done = said(file, *words, **variables)
    assert done.exit_code == 0, done.output
    return done


def asked(file: Path, monkeypatch: pytest.MonkeyPatch, *answers: str, **variables: str) -> Settings:
    """Run it with somebody who answers, and has no paybill."""
    monkeypatch.setattr(setup, "_somebody_is_there", lambda: True)
    line = ["setup", "--config", str(file), "--public-url", "https://box.example"]
    lines = "\n".join((*answers, "n", ""))
    done = CliRunner(env=variables).invoke(cli, line, input=lines)
    assert done.exit_code == 0, done.output
    return load(file, {})


def test_every_variable_that_names_a_setting_is_written_as_what_it_is(file: Path) -> None:
    told(
        file,
        **SSH,
        APPLIANCE_TUNNEL__PORT="2222",
        APPLIANCE_TUNNEL__REMOTE_PORT="18090",
        APPLIANCE_WEBHOOKS__LISTEN="127.0.0.1:9081",
        APPLIANCE_WEBHOOKS__CLIENT_IP_HEADER="X-Caller",
        APPLIANCE_WEBHOOKS__ALLOWED_IPS="196.201.212.0/24, 196.201.214.200",
        APPLIANCE_WEBHOOKS__SEED_PATHS="true",
        APPLIANCE_SMS__COST_PER_MESSAGE="0.5",
        APPLIANCE_ROUTER__ID="shop",
        APPLIANCE_PORTAL__BRAND="",
    )
    written = tomllib.loads(file.read_text())
    assert written["tunnel"]["port"] == 2222
    assert written["webhooks"]["allowed_ips"] == ["196.201.212.0/24", "196.201.214.200"]
    assert written["webhooks"]["seed_paths"] is True
    assert written["sms"] == {"cost_per_message": 0.5}
    loaded = load(file, {})
    assert isinstance(loaded.tunnel, Ssh)
    assert loaded.tunnel.remote_port == 18090
    assert (loaded.webhooks.listen, loaded.webhooks.client_ip_header) == (
        "127.0.0.1:9081",
        "X-Caller",
    )
    assert (loaded.router.id, loaded.portal.brand) == ("shop", "Wi-Fi")


def test_a_variable_that_is_secret_becomes_a_credential(file: Path) -> None:
    uri = "mongodb://box:of-the-database@db.example/"
    done = told(
        file,
        APPLIANCE_MONGODB__URI=uri,
        APPLIANCE_MONGODB__DATABASE="shared",
        APPLIANCE_SMS__HEADERS="Authorization: Bearer abcdefgh",
    )
    assert "of-the-database" not in file.read_text() + done.output
    assert "abcdefgh" not in file.read_text()
    kept = file.parent / "credentials/mongodb.uri"
    assert kept.read_text() == f"{uri}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    loaded = load(file, {})
    assert loaded.mongodb.uri is not None
    assert (loaded.mongodb.uri.get_secret_value(), loaded.mongodb.database) == (uri, "shared")
    assert set(loaded.sms.headers) == {"Authorization"}


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("APPLIANCE_TUNNEL__PRT", "2222", "tunnel.prt: is not a setting of this version"),
        ("APPLIANCE_NONSENSE__X", "y", "nonsense: is not a setting of this version"),
        ("APPLIANCE_TUNNEL__PORT", "many", "tunnel.port: "),
        ("APPLIANCE_TUNNEL__KIND", "pigeon", "tunnel: kind must be ssh"),
        ("APPLIANCE_DARAJA__ENVIRONMENT", "test", "daraja.environment: "),
    ],
)
def test_a_variable_that_cannot_be_meant_is_refused_in_words(
    file: Path, variable: str, value: str, words: str
) -> None:
    done = said(file, **{**SSH, variable: value})
    assert isinstance(done.exception, WrongSettings)
    assert words in str(done.exception)
    assert list(file.parent.iterdir()) == []


def test_a_flag_wins_over_the_variable_of_its_setting(file: Path) -> None:
    told(
        file,
        *("--brand", "Mama", "--environment", "sandbox"),
        APPLIANCE_PORTAL__BRAND="Baba",
        APPLIANCE_DARAJA__ENVIRONMENT="production",
        APPLIANCE_ROUTER__USERNAME="box",
    )
    loaded = load(file, {})
    assert (loaded.portal.brand, loaded.daraja.environment) == ("Mama", "sandbox")
    assert loaded.router.username == "box"


@pytest.mark.parametrize("words", [("--tunnel", "wireguard"), ()])
def test_wireguard_is_set_up_like_any_tunnel(file: Path, words: tuple[str, ...]) -> None:
    kind = {} if words else {"APPLIANCE_TUNNEL__KIND": "wireguard"}
    told(file, *words, **WIREGUARD, **kind)
    loaded = load(file, {})
    assert isinstance(loaded.tunnel, Wireguard)
    assert (loaded.tunnel.public_key, loaded.tunnel.box_public_key) == (KEY, OTHER_KEY)
    assert loaded.webhooks.listen == "10.99.0.2:8081"
    assert loaded.webhooks.client_ip_header == "X-Real-IP"


def test_the_door_behind_wireguard_is_at_the_boxs_own_end_of_it(file: Path) -> None:
    told(file, "--tunnel", "wireguard", **WIREGUARD, APPLIANCE_TUNNEL__BOX_ADDRESS="10.7.0.2")
    assert load(file, {}).webhooks.listen == "10.7.0.2:8081"


def test_wireguard_says_what_it_lacks(file: Path) -> None:
    done = said(file, "--tunnel", "wireguard", APPLIANCE_TUNNEL__HOST="vps.example")
    assert done.exit_code == 2
    assert "APPLIANCE_TUNNEL__PUBLIC_KEY is needed" in done.output


def test_the_portal_is_offered_at_the_boxs_own_address(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = {"10.0.0.1": "10.0.0.2"}
    monkeypatch.setattr(setup, "address_towards", calls.get)
    loaded = asked(file, monkeypatch, "10.0.0.1", "", "wireguard", "vps.example", KEY, OTHER_KEY)
    assert loaded.portal.public_url == "http://10.0.0.2:8080"
    assert isinstance(loaded.tunnel, Wireguard)


@pytest.mark.parametrize("found", [None, "127.0.0.1"])
def test_where_the_box_has_no_address_yet_none_is_offered(
    file: Path, monkeypatch: pytest.MonkeyPatch, found: str | None
) -> None:
    monkeypatch.setattr(setup, "address_towards", lambda _: found)
    loaded = asked(file, monkeypatch, "10.0.0.1", "", "", "http://10.0.0.9:8080", "none")
    assert loaded.portal.public_url == "http://10.0.0.9:8080"


def test_a_router_that_is_no_name_at_all_has_no_way_to_it() -> None:
    assert provision.address_towards("a..b") is None
    assert provision.address_towards("127.0.0.1") == "127.0.0.1"


def test_what_only_root_may_read_or_write_is_said_with_sudo(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(self: Path, **_: str) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    file.touch()
    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(WrongSettings, match=r"appliance\.toml cannot be read, try sudo: "):
        load(file, {})
    monkeypatch.setattr(Path, "exists", refused)
    monkeypatch.setattr("sys.argv", ["appliance", "setup", "--config", str(file)])
    with pytest.raises(SystemExit) as end:
        commands.main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("try sudo: [Errno 13]")
