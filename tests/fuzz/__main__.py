"""Fuzz every target, or the one that is named, for so many seconds each; exits 1 at a finding."""

import argparse
import io
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr
from pathlib import Path

_FOUND = Path("artifacts/fuzz")
# Paramiko takes its time over a key whose lengths are damaged; then it is refused.
_LIMITS = (
    "-timeout=60",
    "-rss_limit_mb=1024",
    "-max_len=4096",
    "-verbosity=0",
    "-print_final_stats=1",
)

# A router is built for every line: what builds it is not what the line should find its way in.
_WATCHED = dict.fromkeys(
    ("pretend_console", "pretend_import"), "appliance.sandbox.routeros.console"
)


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--seconds", type=int, default=60)
    given.add_argument("--target")
    asked = given.parse_args()
    if asked.target is not None:
        return _fuzz(asked.target, asked.seconds)
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 # above, it would not be instrumented

    found = [name for name in TARGETS if not _is_clean(name, asked.seconds)]
    print(f"== {len(TARGETS)} targets, findings in: {', '.join(found) or 'none'}")
    return 1 if found else 0


def _is_clean(name: str, seconds: int) -> bool:
    """Fuzz in a process of its own: the fuzzer never comes back."""
    print(f"== {name}", flush=True)
    command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--seconds", str(seconds)]
    return subprocess.run(command, check=False).returncode == 0


def _fuzz(name: str, seconds: int) -> int:
    import atheris  # noqa: PLC0415 # it has no wheel for every machine that runs the tests

    with (
        redirect_stderr(io.StringIO()),
        atheris.instrument_imports(include=[_WATCHED.get(name, "appliance")]),
    ):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415
    from tests.fuzz.seeds import dictionary, seeds  # noqa: PLC0415

    corpus = _FOUND / name
    corpus.mkdir(parents=True, exist_ok=True)
    limits = [*_LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={corpus}-"]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(name)):
            Path(folder, str(number)).write_bytes(seed)
        words = corpus.with_suffix(".dict")
        words.write_text(
            "".join(f'"{_escaped(word)}"\n' for word in dictionary(name)) or "# none\n"
        )
        atheris.Setup(["fuzz", *limits, f"-dict={words}", str(corpus), folder], TARGETS[name])
        atheris.Fuzz()
    return 0


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
