"""The tunnel's settings, its program and the other side's files: nothing hostile gets into them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from appliance.cli import cli
from appliance.sandbox.config import table
from appliance.settings import WayIn, WrongSettings, checked, load_way_in
from appliance.tunnel.program import program
from appliance.tunnel.samples import rendered
from tests.openssh import SSHD
from tests.vps import NGINX, make_certificate, make_key

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf1p5yJ0YbYpJx0rV7l9Qm7C9d4cVQmVtqkG0m1x3mN"
SSH = {"kind": "ssh", "host": "vps.example", "host_key": HOST_KEY}
CLOUDFLARED = {"kind": "cloudflared", "id": "6ff42ae2-765d-4adf-8112-31c55c1551ef"}
WIREGUARD = {
    "kind": "wireguard",
    "host": "203.0.113.9",
    "public_key": "A" * 42 + "E=",
    "box_public_key": "B" * 42 + "I=",
}
DOOR = {
    "public_url": "https://pay.example",
    "client_ip_header": "X-Real-IP",
    "path_secret": "0" * 32,
}
ROUTER = {"host": "192.168.88.1", "password": "secret"}


def way_in(tunnel: dict[str, Any], **door: Any) -> WayIn:
    return checked({"webhooks": DOOR | door, "router": ROUTER, "tunnel": tunnel})


def refusal(tunnel: dict[str, Any], **door: Any) -> str:
    with pytest.raises(WrongSettings) as refused:
        way_in(tunnel, **door)
    return str(refused.value)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"host": "vps.example; rm -rf /"}, "tunnel.host"),
        ({"host": "-oProxyCommand=sh"}, "tunnel.host"),
        ({"host": "vps.example\n"}, "tunnel.host"),
        ({"user": "root"}, "must not be root"),
        ({"user": "-l"}, "tunnel.user"),
        ({"host_key": "SHA256:" + "A" * 43}, "not its fingerprint"),
        ({"host_key": HOST_KEY[:40]}, "copy the line once more"),
        ({"host_key": HOST_KEY.replace("ssh-ed25519", "ssh-rsa")}, "copy the line once more"),
        ({"host_key": "ssh-ed25519"}, "tunnel.host_key"),
        ({"key_file": "/etc/key %h"}, "tunnel.key_file"),
        ({"key_file": "key"}, "tunnel.key_file"),
        ({"remote_port": 80}, "tunnel.remote_port"),
        ({"port": "22 -v"}, "tunnel.port"),
        ({"id": "x"}, "tunnel.id"),
        ({"kind": "telnet"}, "ssh, cloudflared, wireguard or none"),
    ],
)
def test_what_cannot_be_written_into_a_command_line_is_refused(
    more: dict[str, Any], word: str
) -> None:
    assert word in refusal(SSH | more)


@pytest.mark.parametrize(
    ("tunnel", "door", "words"),
    [
        (SSH, {"public_url": "http://pay.example"}, "must be https:// where tunnel.kind is ssh"),
        (SSH, {"public_url": "https://pay.example/box"}, "without a path"),
        (SSH, {"public_url": "https://pay.example;"}, "must name a host"),
        (SSH, {"listen": "0.0.0.0:8081"}, "127.0.0.1:PORT or unix:/path"),
        (SSH, {"listen": "unix:/run/a b"}, "without spaces"),
        (SSH, {"listen": "127.0.0.1;x:1"}, "127.0.0.1:PORT or unix:/path"),
        (SSH, {"client_ip_header": None}, "X-Real-IP"),
        (SSH, {"client_ip_header": "X-Real-IP 1; }"}, "X-Real-IP"),
        (SSH, {"client_ip_header": "Host"}, "X-Real-IP"),
        (CLOUDFLARED, {}, "CF-Connecting-IP"),
        (WIREGUARD, {}, "webhooks.listen must be 10.99.0.2:PORT"),
        (WIREGUARD | {"public_key": "x" * 43 + "\n"}, {}, "tunnel.public_key"),
    ],
)
def test_a_tunnel_that_does_not_fit_the_door_says_what_to_write(
    tunnel: dict[str, Any], door: dict[str, Any], words: str
) -> None:
    assert words in refusal(tunnel, **door)


@pytest.mark.parametrize(
    ("listen", "forward"),
    [
        ("127.0.0.1:8081", "127.0.0.1:18081:127.0.0.1:8081"),
        ("[::1]:8081", "127.0.0.1:18081:[::1]:8081"),
        ("unix:/run/hotspot-appliance/hooks", "127.0.0.1:18081:/run/hotspot-appliance/hooks"),
    ],
)
def test_ssh_is_told_to_give_up_rather_than_to_ask_or_to_hang(
    tmp_path: Path, listen: str, forward: str
) -> None:
    found = program(way_in(SSH, listen=listen), tmp_path, Path("/run/key"))
    assert found is not None
    words = found.words
    assert words[words.index("-R") + 1] == forward
    assert words[-2:] == ("--", "vps.example")
    assert found.files == {tmp_path / "known_hosts": f"server {HOST_KEY}\n"}
    asked = [*words[:1], "-G", *words[1:]]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    understood = done.stdout.splitlines()
    for line in (
        *("batchmode yes", "exitonforwardfailure yes", "stricthostkeychecking true"),
        *("serveraliveinterval 15", "serveralivecountmax 3", "identityfile /run/key"),
        *("identitiesonly yes", "user tunnel", "port 22", "sessiontype none"),
        *("globalknownhostsfile none", f"userknownhostsfile {tmp_path}/known_hosts"),
    ):
        assert line in understood


def test_cloudflared_passes_only_callbacks_on(tmp_path: Path) -> None:
    known = way_in(CLOUDFLARED, client_ip_header="CF-Connecting-IP", listen="unix:/run/hooks")
    found = program(known, tmp_path, Path("/run/key"))
    assert found is not None
    ((file, text),) = found.files.items()
    assert found.words[-3:] == ("--config", str(file), "run")
    assert "credentials-file: /run/key\n" in text
    assert text.count("service: unix:/run/hooks\n") == text.count("path: ^/hooks/\n") == 1
    assert text.endswith("service: http_status:404\n")


def test_both_ends_of_wireguard_know_each_other() -> None:
    files = rendered(way_in(WIREGUARD, listen="10.99.0.2:8081"))
    server, box = files["wireguard-server.conf"], files["wireguard-box.conf"]
    assert f"PublicKey = {WIREGUARD['box_public_key']}\nAllowedIPs = 10.99.0.2/32" in server
    assert f"PublicKey = {WIREGUARD['public_key']}\nEndpoint = 203.0.113.9:51820\n" in box
    assert "proxy_pass http://10.99.0.2:8081;" in files["nginx.conf"]


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("header", ["X-Real-IP", "X-Forwarded-For"])
def test_two_boxes_share_one_nginx(tmp_path: Path, header: str) -> None:
    make_certificate(tmp_path, "pay.example")
    sites = ""
    for name, paths in (("pay.example", True), ("pay-2.example", False)):
        door = {"public_url": f"https://{name}", "seed_paths": paths, "client_ip_header": header}
        site = rendered(way_in(SSH, **door))["nginx.conf"]
        assert ("location = /api/webhooks/mpesa " in site) == paths
        assert site.count(f"proxy_set_header {header} $remote_addr;") == 1
        sites += site.replace(f"/etc/letsencrypt/live/{name}", str(tmp_path))
    sites = sites.replace("/var/log/nginx", str(tmp_path))
    whole = f"pid {tmp_path}/pid;\nerror_log {tmp_path}/log;\nevents {{}}\nhttp {{\n{sites}}}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    command = [str(NGINX), "-t", "-q", "-p", str(tmp_path), "-c", "nginx.conf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(SSHD is None, reason="sshd is not installed")
def test_sshd_understands_what_its_file_says(tmp_path: Path) -> None:
    key, config = tmp_path / "key", tmp_path / "sshd.conf"
    make_key(key)
    config.write_text(f"HostKey {key}\n{rendered(way_in(SSH))['sshd.conf']}PidFile none\n")
    about = ["-C", "user=tunnel,host=x,addr=192.0.2.1,laddr=192.0.2.2,lport=22"]
    command = [str(SSHD), "-T", "-f", str(config), *about]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    understood = done.stdout.lower().splitlines()
    for line in ("permitlisten 127.0.0.1:18081", "allowtcpforwarding remote", "permittty no"):
        assert line in understood


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The file as the tunnel's user may read it: secrets are elsewhere."""
    tunnel = SSH | {"key_file": str(tmp_path / "key")}
    door = {name: value for name, value in DOOR.items() if name != "path_secret"}
    file = tmp_path / "appliance.toml"
    file.write_text(f"{table('[webhooks]', door)}\n{table('[tunnel]', tunnel)}")
    return file


def test_the_tunnel_is_kept_without_knowing_any_secret(settings: Path) -> None:
    assert load_way_in(settings, {}).tunnel.kind == "ssh"
    given = {"APPLIANCE_TUNNEL__PORT": "2222", "APPLIANCE_ROUTER__PASSWORD": "secret"}
    assert load_way_in(settings, given).tunnel.port == 2222  # type: ignore[union-attr]
    with pytest.raises(WrongSettings, match=r"tunnel\.surprise"):
        load_way_in(settings, {"APPLIANCE_TUNNEL__SURPRISE": "1"})


def test_render_asks_for_the_key_and_then_writes_what_the_server_needs(
    settings: Path, tmp_path: Path
) -> None:
    words = ["tunnel", "render", "--config", str(settings), "--to", str(tmp_path / "to")]
    asked = CliRunner().invoke(cli, words)
    assert asked.exit_code == 2
    assert "ssh-keygen -q -t ed25519" in asked.output
    (tmp_path / "key.pub").write_text(f'{HOST_KEY} evil" comment\n')
    assert CliRunner().invoke(cli, words).exit_code == 0
    line = (tmp_path / "to/authorized_keys").read_text().splitlines()[1]
    assert line == (
        'restrict,port-forwarding,permitlisten="127.0.0.1:18081",command="/bin/false" '
        f"{HOST_KEY} hotspot"
    )


@pytest.mark.parametrize(("command", "code"), [("run", 78), ("render", 2)])
def test_where_there_is_no_tunnel_of_ours_nothing_is_kept(
    settings: Path, command: str, code: int
) -> None:
    settings.write_text(table("[webhooks]", {"public_url": "https://pay.example"}))
    done = CliRunner().invoke(cli, ["tunnel", command, "--config", str(settings)])
    assert done.exit_code == code, "78 is what the unit takes for the end"
    assert "tunnel.kind is none" in done.output
