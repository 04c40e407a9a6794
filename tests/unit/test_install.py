"""Going back, units, manual page, setup; flags and a whole box are in `tests/install`."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from appliance.cli import cli, manual, setup
from appliance.settings import Daraja, load, load_way_in
from appliance.settings.tunnel import KEY_FILE, Ssh

HERE = Path(__file__).parents[2]
UNITS = HERE / "appliance" / "systemd"
NAMES = ("hotspot-appliance.service", "hotspot-appliance-tunnel.service")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A place that looks like a Debian, as far as the installer looks."""
    for folder in ("etc", "opt", "var/lib", "usr/local"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    return tmp_path


def install(tree: Path, *flags: str, code: int = 0) -> str:
    done = subprocess.run(
        ["/bin/sh", str(HERE / "install.sh"), *flags],
        env={"PATH": os.environ["PATH"], "DESTDIR": str(tree)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


RELEASE = {
    "bin/python": "#!/bin/sh\nif [ {refuses} ]; then echo 'no such setting' >&2; exit 1; fi\n",
    "bin/appliance": "#!/bin/sh\nexit {ready}\n",
    ".complete": "",
}


def released(tree: Path, version: str, *, refuses: str = "", ready: int = 0) -> Path:
    """Put a release there that answers as told."""
    place = tree / "opt/hotspot-appliance/releases" / version
    for name, content in RELEASE.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content.format(refuses=refuses, ready=ready))
        (place / name).chmod(0o755)
    shutil.copytree(UNITS, place / "lib/python3/site-packages/appliance/systemd")
    return place


def boxed(tree: Path, monkeypatch: pytest.MonkeyPatch, now: Path, previous: Path) -> Path:
    """Have a box whose systemd writes down what it is told."""
    base = tree / "opt/hotspot-appliance"
    (base / "current").symlink_to(now)
    (base / "previous").symlink_to(previous)
    for folder in ("run/systemd/system", "etc/hotspot-appliance", "bin"):
        (tree / folder).mkdir(parents=True)
    systemctl, told = tree / "bin/systemctl", tree / "told"
    systemctl.write_text(f'#!/bin/sh\necho "$*" >>{told}\n')
    systemctl.chmod(0o755)
    told.touch()
    monkeypatch.setenv("PATH", f"{tree / 'bin'}:{os.environ['PATH']}")
    return told


def stands(tree: Path) -> tuple[str, str]:
    base = tree / "opt/hotspot-appliance"
    return (base / "current").readlink().name, (base / "previous").readlink().name


def test_a_release_that_cannot_use_the_settings_is_not_gone_back_to(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "2"), released(tree, "1", refuses="yes"))
    said = install(tree, "--rollback", code=1)
    assert "no such setting" in said
    assert "Nothing was changed" in said
    assert stands(tree) == ("2", "1")
    assert "stop" not in told.read_text()


def test_going_back_to_what_does_not_get_ready_returns_to_what_ran(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "2"), released(tree, "1", ready=1))
    said = install(tree, "--rollback", code=1)
    assert "returning to 2" in said
    assert "taken back" in said
    assert stands(tree) == ("2", "1")
    assert told.read_text().count("restart --no-block hotspot-appliance") == 2


def test_going_back_swaps_the_two(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxed(tree, monkeypatch, released(tree, "2"), released(tree, "1"))
    install(tree, "--rollback")
    assert stands(tree) == ("1", "2")


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_exposes_no_more_than_it_must(name: str) -> None:
    command = [
        "/usr/bin/systemd-analyze",
        "security",
        "--no-pager",
        "--offline=yes",
        "--threshold=15",
    ]
    done = subprocess.run(
        [*command, str(UNITS / name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-400:]


def verified(root: Path) -> str:
    command = ["/usr/bin/systemd-analyze", "verify", "--man=no", f"--root={root}", *NAMES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" + ("" if done.returncode == 0 else "failed")


def test_systemd_finds_no_fault_with_the_units(tree: Path) -> None:
    system = tree / "usr/local/lib/systemd/system"
    targets = tree / "usr/lib/systemd/system"
    system.mkdir(parents=True)
    targets.mkdir(parents=True)
    for target in Path("/usr/lib/systemd/system").glob("*.target"):
        shutil.copy2(target, targets, follow_symlinks=True)
    for program in ("opt/hotspot-appliance/current/bin/appliance", "usr/bin/ssh"):
        (tree / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2("/usr/bin/true", tree / program)
    for name in NAMES:
        shutil.copy2(UNITS / name, system)
    assert verified(tree) == ""
    unit = system / NAMES[0]
    unit.write_text(unit.read_text() + "\n[Service]\nWatchDogSecs=60\n")
    assert "WatchDogSecs" in verified(tree), "it looked at these very files"


def test_the_tunnels_unit_runs_our_command_and_ends_where_there_is_nothing_to_run(
    tmp_path: Path,
) -> None:
    lines = (UNITS / NAMES[1]).read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("ExecStart=")]
    _, *words = line.replace("%d", str(tmp_path)).split()
    (tmp_path / "settings").write_text('[webhooks]\npublic_url = "https://pay.example"\n')
    done = CliRunner().invoke(cli, words)
    assert "tunnel.kind is none" in done.output
    assert done.exit_code == os.EX_CONFIG, "cloudflared ends with 1 and 2, and is to come back"
    assert f"RestartPreventExitStatus={done.exit_code}" in lines
    for kept in ("settings:/etc/hotspot-appliance/appliance.toml", f"key:{KEY_FILE}"):
        assert f"LoadCredential={kept}" in lines


def test_the_longest_prompt_is_waited_for_when_the_unit_stops() -> None:
    lines = (UNITS / NAMES[0]).read_text().splitlines()
    stop = next(line for line in lines if line.startswith("TimeoutStopSec="))
    Daraja(read_timeout=120)
    with pytest.raises(ValueError, match="120"):
        Daraja(read_timeout=120.5)
    assert int(stop.partition("=")[2]) > 120 + 2 + 5


def test_the_manual_page_knows_every_command() -> None:
    page = manual.page()
    for command in (r"db move", "backup", "restore", "run", r"provision apply"):
        assert f".SS {command}\n" in page
    done = subprocess.run(
        ["/usr/bin/man", "--warnings", "-Tutf8", "-l", "-"],
        input=page, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "100"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_completes_the_commands(shell: str) -> None:
    completion = get_completion_class(shell)
    assert completion is not None
    made = completion(cli, {}, "appliance", "_APPLIANCE_COMPLETE")
    assert "_APPLIANCE_COMPLETE" in made.source()
    assert {"backup", "db", "run"} <= {item.value for item in made.get_completions([], "")}


def test_settings_that_setup_writes_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    words = ["setup", "--config", str(file), "--yes", "--public-url", "https://box.example"]
    words += ["--portal-url", "http://10.0.0.2:8080", "--router-host", "10.0.0.1"]
    told = {"APPLIANCE_ROUTER__PASSWORD": "of an account that is there"}
    done = CliRunner(env=told).invoke(cli, [*words, "--brand", 'Mama "Wi-Fi" ☕'])
    assert done.exit_code == 0, done.output
    loaded = load(file, {})
    assert loaded.portal.brand == 'Mama "Wi-Fi" ☕'
    assert loaded.appliance.encryption_keys is not None
    assert file.stat().st_mode & 0o777 == 0o640
    secret = tmp_path / "credentials/router.password"
    first = secret.read_text()
    assert first == "of an account that is there\n"
    assert first.strip() not in file.read_text() + done.output
    file.unlink()
    CliRunner().invoke(cli, words)
    assert secret.read_text() == first, "a secret that is there is kept"


def test_setup_asks_for_the_rest_and_what_it_writes_can_be_sold_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "_somebody_is_there", lambda: True)
    file, seeds = tmp_path / "appliance.toml", tmp_path / "seed.toml"
    answers = [
        "10.0.0.1",
        "https://box.example",
        "",
        "none",
        "y",
        "till",
        "5512345",
        "Mama's",
        "174379",
    ]
    answers += ["the key", "the secret", "the pass key", "20"]
    told = {"APPLIANCE_APPLIANCE__DATA_DIR": str(tmp_path)}
    runner = CliRunner(env=told)
    done = runner.invoke(cli, ["setup", "--config", str(file)], input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "the secret" not in done.output
    assert seeds.stat().st_mode & 0o777 == 0o600
    seeded = runner.invoke(cli, ["db", "seed", str(seeds), "--config", str(file)])
    assert seeded.output.strip() == "0 users, 1 routers, 1 paybills, 1 plans"
    with sqlite3.connect(tmp_path / "appliance.sqlite3") as database:
        (kept,) = database.execute("SELECT doc FROM paybills").fetchone()
        (router,) = database.execute("SELECT _id FROM routers").fetchone()
    database.close()
    assert '"storeNumber":"174379"' in kept
    assert "the secret" not in kept, "sealed"
    assert router == load(file, told).router.id


HOST_KEY = f"ssh-ed25519 {'AAAAC3NzaC1lZDI1NTE5AAAAI' + 'A' * 43}"
BOX = (
    *("--router-host", "10.0.0.1", "--public-url", "https://box.example"),
    *("--portal-url", "http://10.0.0.2:8080"),
)


def test_setup_asks_about_the_tunnel_and_what_it_writes_keeps_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "_somebody_is_there", lambda: True)
    file = tmp_path / "appliance.toml"
    answers = ["ssh", "VPS.example", "", f"{HOST_KEY} root@vps", "n"]
    words = ["setup", "--config", str(file), *BOX]
    done = CliRunner().invoke(cli, words, input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "docs/tunnel.md" in done.output
    known = load_way_in(file, {})
    assert isinstance(known.tunnel, Ssh)
    assert (known.tunnel.host, known.tunnel.host_key) == ("vps.example", HOST_KEY)
    assert known.webhooks.client_ip_header == "X-Real-IP"


def test_setup_without_questions_takes_a_tunnel_from_its_variables_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    file = tmp_path / "appliance.toml"
    words = ["setup", "--config", str(file), "--yes", "--tunnel", "cloudflared", *BOX]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert "APPLIANCE_TUNNEL__ID is needed" in done.output
    assert list(tmp_path.iterdir()) == []
    told = {"APPLIANCE_TUNNEL__ID": "6ff42ae2-765d-4adf-8112-31c55c1551ef"}
    assert CliRunner(env=told).invoke(cli, words).exit_code == 0
    assert load(file, {}).webhooks.client_ip_header == "CF-Connecting-IP"


def test_a_wrong_answer_about_the_tunnel_is_said_before_any_account_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "_somebody_is_there", lambda: True)
    words = ["setup", "--config", str(tmp_path / "appliance.toml"), *BOX]
    answers = ["ssh", "vps.example", "root", HOST_KEY]
    done = CliRunner().invoke(cli, words, input="\n".join(answers) + "\n")
    assert "must not be root" in str(done.exception)
    assert "paybill" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_setup_refuses_what_cannot_be_right_and_writes_nothing(tmp_path: Path) -> None:
    words = ["setup", "--config", str(tmp_path / "appliance.toml"), "--yes"]
    words += ["--router-host", "10.0.0.1", "--portal-url", "http://10.0.0.2:8080"]
    done = CliRunner().invoke(cli, [*words, "--public-url", "http://box.example"])
    assert done.exit_code == 1
    assert "https" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
