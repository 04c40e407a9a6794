"""A box's life on a fresh Debian 12, in this order: each test goes on where the last one was.

Needs root, debootstrap and Debian's mirror the first time; the fresh system is kept in artifacts.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.sandbox import config
from appliance.sandbox.addresses import Ports

HERE = Path(__file__).parents[2]
FRESH = HERE / "artifacts" / "debian-12"
WHEELS = HERE / "artifacts" / "wheels"
MIRROR = "http://deb.debian.org/debian"
# What a box needs of Debian: not there at first, but within reach of apt.
PACKAGES = ("python3", "python3-venv", "ca-certificates", "openssh-client")
LEAN = ("--no-install-recommends",)
SOURCES = ["appliance", "portal_templates", "provisioning", "install.sh"]
SOURCES += ["pyproject.toml", "README.md", "LICENSE"]
SOURCES += ["requirements.lock", "requirements-build.lock"]
OWN = ("opt/hotspot-appliance", "etc/hotspot-appliance", "var/lib/hotspot-appliance")
# What the installer's own tools leave behind: the copy that useradd makes before a change.
LEFT = {f"etc/{name}-" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")}


INIT = """
import os, time
while True:
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        time.sleep(0.1)
"""
"""What a system's first process must do: take leave of everybody whose parent is gone."""


class Debian:
    """A fresh system in a folder, with a network of its own and nothing but pretended systemd."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._holder = subprocess.Popen(
            ["/usr/bin/unshare", "--net", "--pid", "--fork", "--kill-child", "python3", "-c", INIT]
        )
        deadline = time.monotonic() + 10
        while not (inside := self._inside()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self._enter = ["/usr/bin/nsenter", "-t", inside, "-n", "-p", "/usr/sbin/chroot", str(root)]
        subprocess.run(
            ["/usr/bin/nsenter", "-t", inside, "-n", "/usr/sbin/ip", "link", "set", "lo", "up"],
            check=True,
        )

    def _inside(self) -> str:
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        return children.read_text().strip()

    def close(self) -> None:
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait()

    def run(self, *words: str, code: int = 0, **environment: str) -> str:
        """Run a command in it and return all it says."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*self._enter, *words],
            env={"PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def install(self, source: str, *flags: str, code: int = 0) -> str:
        words = ("--yes", "--offline", "/wheels", *flags)
        return self.run(f"{source}/install.sh", *words, code=code, READY_SECONDS="20")

    def current(self) -> str:
        return (self.root / "opt/hotspot-appliance/current").readlink().name

    def tree(self, *without: str) -> dict[str, str]:
        """Return every file of it with what it is and holds."""
        found = {}
        for folder, folders, files in os.walk(self.root):
            place = Path(folder).relative_to(self.root)
            if place.parts[:1] in {("run",), ("proc",), ("src",), ("wheels",), ("tmp",)}:
                folders.clear()
                continue
            for name in (*folders, *files):
                path, shown = Path(folder, name), str(place / name)
                if not shown.startswith(without or ("\0",)) and "__pycache__" not in shown:
                    found[shown] = what_is(path)
        return found


def what_is(path: Path) -> str:
    about = path.lstat()
    kind = f"{about.st_mode:o} {about.st_uid}:{about.st_gid}"
    if path.is_symlink():
        return f"{kind} -> {path.readlink()}"
    if path.is_file():
        return f"{kind} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return kind


def source_of(version: str, into: Path) -> Path:
    """Put a checkout of another version into a folder."""
    into.mkdir(parents=True)
    for name in SOURCES:
        if (HERE / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HERE / name, into / name, ignore=ignored)
        else:
            shutil.copy2(HERE / name, into / name)
    project = into / "pyproject.toml"
    text = project.read_text()
    now = next(line for line in text.splitlines() if line.startswith("version = "))
    project.write_text(text.replace(now, f'version = "{version}"', 1))
    return into


def fresh() -> Path:
    """Return a Debian 12 with nothing in it, and a cache of the packages that a box needs."""
    if not (FRESH / "var/cache/complete").exists():
        shutil.rmtree(FRESH, ignore_errors=True)
        FRESH.parent.mkdir(exist_ok=True)
        command = ["/usr/sbin/debootstrap", "--variant=minbase", "bookworm", str(FRESH), MIRROR]
        subprocess.run(command, check=True)
        for words in (("update",), ("install", "-y", "--download-only", *LEAN, *PACKAGES)):
            subprocess.run(["/usr/sbin/chroot", str(FRESH), "apt-get", *words], check=True)
        (FRESH / "var/cache/complete").touch()
    return FRESH


def wheels() -> Path:
    if not WHEELS.exists():
        fetch = [shutil.which("python3") or "python3", "-m", "pip", "download", "--quiet"]
        fetch += ["--only-binary", ":all:", "--require-hashes", "--dest", str(WHEELS)]
        for lock in ("requirements.lock", "requirements-build.lock"):
            subprocess.run([*fetch, "-r", str(HERE / lock)], check=True)
    return WHEELS


def furnished(root: Path) -> Debian:
    """Return a fresh Debian in a folder, with packages for Python and three versions of ours."""
    subprocess.run(["/usr/bin/cp", "-a", "--reflink=auto", str(fresh()), str(root)], check=True)
    shutil.copytree(wheels(), root / "wheels")
    (root / "usr/bin/systemctl").write_bytes((HERE / "tests/install/systemctl").read_bytes())
    (root / "usr/bin/systemctl").chmod(0o755)
    (root / "run/systemd/system").mkdir(parents=True)
    for version in ("1.0", "1.1", "1.2"):
        source_of(version, root / "src" / version)
    broken = root / "src/1.2/appliance/app/__init__.py"
    broken.write_text(
        broken.read_text() + "\n\ndef wired(*_: object) -> None:\n    raise OSError\n"
    )
    _, seed = config.write(root / "src", Ports.at(0))
    assert seed.name == "seed.toml"
    return Debian(root)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Debian]:
    made = furnished(tmp_path / "root")
    yield made
    made.close()


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    made = furnished(tmp_path_factory.mktemp("debian") / "root")
    made.run("apt-get", "install", "-y", *LEAN, *PACKAGES, DEBIAN_FRONTEND="noninteractive")
    yield made
    made.close()


@pytest.fixture(scope="module")
def before(debian: Debian) -> dict[str, str]:
    return debian.tree()


NEW = (
    *("--router-host", "127.0.0.1", "--public-url", "https://box.example"),
    *("--portal-url", "http://10.0.0.2:8080", "--environment", "sandbox"),
    *("--seed", "/src/seed.toml"),
)


def test_what_it_needs_of_debian_is_installed(bare: Debian) -> None:
    assert not (bare.root / "usr/bin/python3").exists()
    said = bare.install("/src/1.0", *NEW)
    assert f"installing Debian packages: {' '.join(PACKAGES[:2])}" in said
    assert bare.run("appliance", "ready") == "ready\n"
    assert (bare.root / "usr/bin/ssh").exists()
    bare.run("systemctl", "stop", "hotspot-appliance")


def test_a_box_that_is_not_told_enough_is_asked_nothing_and_starts_nothing(
    debian: Debian, before: dict[str, str]
) -> None:
    said = debian.install("/src/1.0", code=2)
    assert "--router-host is needed" in said
    assert not (debian.root / "etc/hotspot-appliance/appliance.toml").exists()
    assert not (debian.root / "opt/hotspot-appliance/current").exists()


def test_one_command_makes_a_box_that_is_ready(debian: Debian, before: dict[str, str]) -> None:
    said = debian.install("/src/1.0", *NEW)
    assert "waiting until it is ready" in said
    assert debian.current() == "1.0"
    assert debian.run("appliance", "ready") == "ready\n"
    status = json.loads(debian.run("appliance", "db", "status", "--json"))
    assert status["collections"]["paybills"]["count"] == 2
    wanted = debian.root / "etc/systemd/system/multi-user.target.wants"
    for unit in ("hotspot-appliance", "hotspot-appliance-tunnel"):
        assert (wanted / f"{unit}.service").is_symlink()
    assert "appliance" in (debian.root / "usr/local/share/man/man1/appliance.1").resolve().name


def test_systemd_is_told_that_it_is_ready(debian: Debian) -> None:
    """And its credentials are the copies that the unit's folder gives."""
    told = (debian.root / "run/pretend/notified").read_text().splitlines()
    assert told[0] == "READY=1"
    asked = (debian.root / "run/pretend/log").read_text().splitlines()
    assert asked.index("enable hotspot-appliance") < asked.index(
        "restart --no-block hotspot-appliance"
    )
    credentials = debian.root / "run/credentials/hotspot-appliance"
    assert (credentials / "settings_router.password").stat().st_uid != 0


def test_only_the_service_and_root_can_read_what_is_secret(debian: Debian) -> None:
    about = debian.run(
        *("stat", "-c", "%a %U:%G", "/etc/hotspot-appliance/appliance.toml"),
        *("/etc/hotspot-appliance/credentials", "/etc/hotspot-appliance/credentials/backup.key"),
        "/etc/hotspot-appliance/tunnel",
        *("/var/lib/hotspot-appliance", "/var/lib/hotspot-appliance/appliance.sqlite3"),
        "/opt/hotspot-appliance/releases/1.0/bin/appliance",
    )
    assert about.splitlines() == [
        "640 root:hotspot-appliance",
        "700 root:root",
        "600 root:root",
        "750 root:hotspot-appliance",
        "700 hotspot-appliance:hotspot-appliance",
        "600 hotspot-appliance:hotspot-appliance",
        "755 root:root",
    ]
    other = debian.run("setpriv", "--reuid=65534", "appliance", "db", "status", code=1)
    assert "cannot be read" in other


def test_the_second_time_changes_nothing(debian: Debian) -> None:
    data = "var/lib/hotspot-appliance/appliance.sqlite3"  # the doctor writes who asks for a token
    first = debian.tree(data)
    said = debian.install("/src/1.0", *NEW)
    assert "1.0 is installed already" in said
    assert debian.tree(data) == first


def test_an_upgrade_is_backed_up_and_ready(debian: Debian) -> None:
    debian.install("/src/1.1")
    assert debian.current() == "1.1"
    assert debian.run("appliance", "ready") == "ready\n"
    backup = "/var/lib/hotspot-appliance/backups/before-upgrade.backup"
    debian.run("appliance", "restore", backup, code=1)  # not while it runs
    assert "appliance 1.1" in debian.run("appliance", "--version")


def test_an_upgrade_that_does_not_become_ready_takes_itself_back(debian: Debian) -> None:
    said = debian.install("/src/1.2", code=1)
    assert "going back to 1.1" in said
    assert debian.current() == "1.1"
    assert debian.run("appliance", "ready") == "ready\n"


def test_going_back_by_hand_works_both_ways(debian: Debian) -> None:
    debian.install("/src/1.1", "--rollback")
    assert debian.current() == "1.0"
    debian.install("/src/1.1", "--rollback")
    assert debian.current() == "1.1"
    assert debian.run("appliance", "ready") == "ready\n"


def test_a_backup_brings_a_fresh_card_back_and_its_tunnel(debian: Debian) -> None:
    place = debian.root / "etc/hotspot-appliance"
    (place / "tunnel/key").write_text("a key\n")
    debian.run("appliance", "backup", "/src/box.backup")
    shutil.copy2(place / "credentials/backup.key", debian.root / "src/key")
    told = (place / "appliance.toml").read_text()
    debian.install("/src/1.1", "--uninstall", "--purge")
    debian.install("/src/1.1", "--restore", "/src/box.backup", "--key-file", "/src/key")
    assert debian.run("appliance", "ready") == "ready\n"
    assert (place / "appliance.toml").read_text() == told
    assert (place / "tunnel/key").read_text() == "a key\n"
    tunnel = debian.root / "run/pretend/hotspot-appliance-tunnel.out"
    assert "tunnel.kind is none" in tunnel.read_text(), "it was started, and has nothing to keep"
    status = json.loads(debian.run("appliance", "db", "status", "--json"))
    assert status["collections"]["paybills"]["count"] == 2


def test_uninstalling_keeps_the_records_and_purging_leaves_the_system_as_it_was(
    debian: Debian, before: dict[str, str]
) -> None:
    debian.install("/src/1.1", "--uninstall")
    kept = debian.tree()
    assert not any(name.startswith("opt/hotspot-appliance") for name in kept)
    assert "var/lib/hotspot-appliance/appliance.sqlite3" in kept
    debian.install("/src/1.1", "--uninstall", "--purge")
    after = debian.tree()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed - LEFT == set()
