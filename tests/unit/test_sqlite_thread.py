"""The thread that owns a SQLite connection outlives whatever one job does to it."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from appliance.domain.errors import StoreUnavailable
from appliance.store.thread import _JOBS_BETWEEN_MOVES, ConnectionThread, Mover, connect


def bad_binding(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (?)", ("\ud800",))


def a_bug(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES ('half done')")
    raise ZeroDivisionError


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES ('kept')")


def kept(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT x FROM t")]


@pytest.mark.parametrize("job", [bad_binding, a_bug])
async def test_one_failing_write_is_undone_alone(tmp_path: Path, job: object) -> None:
    writer = ConnectionThread(tmp_path / "x", writes=True)
    reader = ConnectionThread(tmp_path / "x", writes=False)
    await writer.do(lambda connection: connection.execute("CREATE TABLE t (x)"))
    jobs = [insert, job, insert]
    answers = await asyncio.gather(
        *(writer.do(one) for one in jobs),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False]
    assert await reader.do(kept) == ["kept", "kept"]
    with pytest.raises(ZeroDivisionError):
        await reader.do(lambda _: 1 // 0)
    assert await reader.do(kept) == ["kept", "kept"]
    await reader.close()
    await writer.close()


async def test_a_file_in_trouble_is_the_database_away_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "away"
    writer = ConnectionThread(folder / "x", writes=True)
    with pytest.raises(StoreUnavailable):
        await writer.do(lambda connection: connection.execute("SELECT 1").fetchone())
    folder.mkdir()
    assert await writer.do(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    await writer.close()


async def test_what_nobody_foresaw_is_answered_too_and_the_thread_lives_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unforeseen(path: Path) -> sqlite3.Connection:
        raise OSError(path)

    writer = ConnectionThread(tmp_path / "x", writes=True)
    with monkeypatch.context() as patch:
        patch.setattr("appliance.store.thread.connect", unforeseen)
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(writer.do(kept), 10)
    assert "this is a bug" in caplog.text
    assert await writer.do(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    await writer.close()


_ANOTHER_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM t").fetchone())
connection.close()
"""


def test_a_second_connection_takes_no_lock_from_the_first(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with closing(connect(file)) as writer:
        writer.execute("CREATE TABLE t (x)")
        with closing(connect(file)):
            subprocess.run(
                [sys.executable, "-c", _ANOTHER_PROGRAM, str(file)], check=True, capture_output=True
            )
            # Whoever believes to be the last takes the log away from under the others.
            assert (tmp_path / "x-wal").exists()
            writer.execute("INSERT INTO t VALUES ('paid for')")
        with closing(connect(file)) as other:
            assert kept(other) == ["paid for"]


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.touch(mode=0o644)
    for file in (old, tmp_path / "new"):
        with closing(connect(file)) as writer:
            writer.execute("CREATE TABLE t (x)")
            assert {part.stat().st_mode & 0o777 for part in tmp_path.glob(f"{file.name}*")} == {
                0o600
            }


async def test_a_full_file_takes_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    writer = ConnectionThread(tmp_path / "x", writes=True)
    await writer.do(lambda connection: connection.execute("CREATE TABLE t (x)"))
    await writer.do(insert)
    await writer.do(lambda connection: connection.execute("PRAGMA max_page_count=2").fetchone())
    large = ("too much" * 10_000,)
    with pytest.raises(StoreUnavailable, match="full"):
        await writer.do(lambda connection: connection.execute("INSERT INTO t VALUES (?)", large))
    await writer.do(insert)  # a new connection, which knows of no limit
    assert await writer.do(kept) == ["kept", "kept"]
    await writer.close()


def test_what_was_committed_is_moved_into_the_file_now_and_then(tmp_path: Path) -> None:
    file = tmp_path / "x"
    with closing(connect(file)) as writer:
        writer.execute("CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES ('paid for')")
        for jobs, moved in ((_JOBS_BETWEEN_MOVES - 1, False), (_JOBS_BETWEEN_MOVES, True)):
            mover = Mover(file)
            mover.committed(jobs)
            mover.close()
            assert (b"paid for" in file.read_bytes()) == moved
        assert writer.execute("SELECT x FROM t").fetchall() == [("paid for",)]


def test_a_move_that_fails_is_told_of_and_the_next_is_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mover = Mover(tmp_path / "away" / "x")
    for _ in range(2):
        mover.committed(_JOBS_BETWEEN_MOVES)
    mover.close()
    assert caplog.text.count("stays in the log") == 2
