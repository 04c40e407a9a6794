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
    "bin/appliance": '#!/bin/sh\necho "$1 was here" && [ "$1" != {fails} ]\n',
    ".complete": "{stamp}",
}


def released(
    tree: Path, name: str, *, refuses: str = "", fails: str = "-", stamp: str = ""
) -> Path:
    """Put a release there that answers as told."""
    place = tree / "opt/hotspot-appliance/releases" / name
    for file, content in RELEASE.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(content.format(refuses=refuses, fails=fails, stamp=stamp))
        (place / file).chmod(0o755)
    shutil.copytree(UNITS, place / "lib/python3/site-packages/appliance/systemd")
    return place


def this_one(tree: Path, *, refuses: str = "", fails: str = "-") -> Path:
    """Put the release of this very checkout there, as if it were built."""
    script = (
        f'here={HERE}; . "$here/appliance/installer/common.sh"; python=$(find_python);'
        '. "$here/appliance/installer/release.sh"; base=/nowhere; name_release;'
        'echo "$(basename "$release") $stamp"'
    )
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=True, cwd=tree
    )
    name, stamp = done.stdout.split()
    return released(tree, name, refuses=refuses, fails=fails, stamp=stamp)


def program(tree: Path, name: str, does: str) -> None:
    """Put one there that is found before the system's."""
    (tree / "bin").mkdir(exist_ok=True)
    (tree / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
    (tree / "bin" / name).chmod(0o755)


def boxed(tree: Path, monkeypatch: pytest.MonkeyPatch, now: Path, previous: Path) -> Path:
    """Have a box whose systemd writes down what it is told."""
    base = tree / "opt/hotspot-appliance"
    (base / "current").symlink_to(now)
    (base / "previous").symlink_to(previous)
    for folder in ("run/systemd/system", "etc/hotspot-appliance"):
        (tree / folder).mkdir(parents=True)
    (tree / "etc/hotspot-appliance/appliance.toml").touch()
    told = tree / "told"
    told.touch()
    program(tree, "systemctl", f'echo "$*" >>{told}')
    monkeypatch.setenv("PATH", f"{tree / 'bin'}:{os.environ['PATH']}")
    return told


def stands(tree: Path) -> tuple[str, str]:
    base = tree / "opt/hotspot-appliance"
    return (base / "current").readlink().name, (base / "previous").readlink().name


def restarts(told: Path) -> int:
    return told.read_text().count("restart --no-block hotspot-appliance\n")


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
    told = boxed(tree, monkeypatch, released(tree, "2"), released(tree, "1", fails="ready"))
    said = install(tree, "--rollback", code=1)
    assert "1 is not ready" in said
    assert "2 runs as before" in said
    assert stands(tree) == ("2", "1")
    assert restarts(told) == 2


def test_going_back_swaps_the_two(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxed(tree, monkeypatch, released(tree, "2"), released(tree, "1"))
    install(tree, "--rollback")
    assert stands(tree) == ("1", "2")


def test_an_upgrade_keeps_what_ran_to_go_back_to(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    new = this_one(tree)
    install(tree, "--yes")
    assert stands(tree) == (new.name, "1")
    assert restarts(told) == 1
    assert not (tree / "opt/hotspot-appliance/releases/0").exists()


@pytest.mark.parametrize(
    ("step", "why", "starts"),
    [("db", "could not be brought up to date", 1), ("ready", "is not ready", 2)],
)
def test_an_upgrade_that_does_not_get_through_takes_itself_back(
    tree: Path, monkeypatch: pytest.MonkeyPatch, step: str, why: str, starts: int
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    this_one(tree, fails=step)
    said = install(tree, "--yes", code=1)
    assert why in said
    assert "1 runs as before" in said
    assert stands(tree) == ("1", "0")
    assert restarts(told) == starts


def test_a_daemon_that_keeps_ending_does_not_come_back_in_the_middle(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    this_one(tree)
    state = '[ "$1" != is-active ] || { echo activating; exit 3; }'
    program(tree, "systemctl", f'echo "$*" >>{told}; {state}')
    install(tree, "--yes")
    assert "stop hotspot-appliance\n" in told.read_text()


def test_settings_that_the_new_release_refuses_stop_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    new = this_one(tree, refuses="yes")
    said = install(tree, "--yes", code=1)
    assert "no such setting" in said
    assert f"{new.name} cannot use" in said
    assert stands(tree) == ("1", "0")
    assert "stop" not in told.read_text()


def test_what_was_built_for_nothing_takes_no_room(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    new = this_one(tree, fails="ready")
    install(tree, "--yes", code=1)
    assert not new.exists()


def test_one_that_could_be_gone_back_to_stays_whatever_becomes_of_it(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxed(tree, monkeypatch, released(tree, "1"), new := this_one(tree, fails="ready"))
    install(tree, "--yes", code=1)
    assert stands(tree) == ("1", new.name)
    assert new.exists()


def test_without_room_nothing_is_built(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    program(tree, "df", "echo Avail; echo 300000")
    assert "Only 292 MB are free" in install(tree, "--yes", code=1)
    assert stands(tree) == ("1", "0")


def test_an_upgrade_without_a_backup_changes_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "1", fails="backup"), released(tree, "0"))
    this_one(tree)
    assert "Nothing was changed" in install(tree, "--yes", code=1)
    assert stands(tree) == ("1", "0")
    assert "stop" not in told.read_text()


def test_where_debian_took_its_python_away_the_new_release_makes_the_backup(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = released(tree, "1")
    boxed(tree, monkeypatch, dead, released(tree, "0"))
    (dead / "bin/appliance").write_text("#!/no/such/python\n")
    new = this_one(tree)
    install(tree, "--yes")
    assert stands(tree) == (new.name, "1")


@pytest.mark.parametrize("way", ["upgrade", "rollback"])
@pytest.mark.parametrize(("signal", "code"), [("INT", 130), ("TERM", 143)])
def test_what_is_broken_off_half_way_leaves_what_ran_running(
    tree: Path, monkeypatch: pytest.MonkeyPatch, way: str, signal: str, code: int
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "2"), released(tree, "1"))
    this_one(tree)
    program(tree, "systemctl", f'echo "$*" >>{told}; [ "$1" != stop ] || kill -{signal} $PPID')
    said = install(tree, *(["--yes"] if way == "upgrade" else ["--rollback"]), code=code)
    assert "2 runs as before" in said
    assert stands(tree) == ("2", "1")
    assert restarts(told) == 1


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_that_drops_ends_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    """Neither its signal, nor that nobody reads what is said: each program here says something."""
    boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    new = this_one(tree)
    ours, theirs = os.openpty() if terminal else os.pipe()
    going = subprocess.Popen(
        ["/usr/bin/setsid", *(["--ctty"] if terminal else []), "/bin/sh", str(HERE / "install.sh")],
        env={"PATH": os.environ["PATH"], "DESTDIR": str(tree)},
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    os.read(ours, 1)  # it has begun
    os.close(ours)
    assert going.wait(60) == 0
    assert stands(tree) == (new.name, "1")


def test_a_full_disk_half_way_leaves_what_ran_running(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = boxed(tree, monkeypatch, released(tree, "1"), released(tree, "0"))
    new = this_one(tree)
    program(tree, "ln", f'case "$*" in *{new}*) exit 1 ;; esac; exec /bin/ln "$@"')
    said = install(tree, "--yes", "--no-start", code=1)
    assert "1 runs as before" in said
    assert stands(tree) == ("1", "0")
    assert restarts(told) == 1, "though nothing was to be started: it ran before"


def test_the_tunnel_is_started_once_its_unit_is_another(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxed(tree, monkeypatch, released(tree, "2"), older := released(tree, "1"))
    install(tree, "--rollback")
    unit = older / f"lib/python3/site-packages/appliance/systemd/{NAMES[1]}"
    told = tree / "told"
    told.write_text("")
    install(tree, "--rollback")
    assert "try-restart" not in told.read_text(), "it is the same"
    unit.write_text(unit.read_text() + "# another\n")
    install(tree, "--rollback")
    assert "try-restart --no-block hotspot-appliance-tunnel\n" in told.read_text()


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
