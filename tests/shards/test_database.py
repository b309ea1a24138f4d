"""The process's own DuckDB: sessions share nothing, leave nothing, and commands open no other without need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import triptych
from support import imported
from triptych.shards.query import close_sandbox, limit_memory
from triptych.shards.store.database import session


def databases() -> int:
    with session() as connection:
        return len(connection.execute("SELECT 1 FROM duckdb_databases()").fetchall())


def test_sessions_share_nothing_and_leave_nothing() -> None:
    before = databases()
    with session() as one, session() as other:
        for connection, value in ((one, 1), (other, 2)):
            connection.execute(f"CREATE TABLE t AS SELECT {value} AS a")
            connection.execute(f"CREATE TEMP TABLE u AS SELECT {value} AS a")
            connection.execute(f"CREATE MACRO f() AS {value}")
            connection.execute(f"SET VARIABLE v = {value}")
        for connection, value in ((one, 1), (other, 2)):
            seen = connection.execute("SELECT t.a, u.a, f(), getvariable('v') FROM t, u").fetchall()
            assert seen == [(value,) * 4]
            assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
    with session() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM t")
    assert databases() == before


def test_a_session_ends_whatever_was_left_open_in_it() -> None:
    before = databases()
    with pytest.raises(KeyError), session() as connection:
        connection.execute("BEGIN; CREATE TABLE t AS FROM range(100_000)")
        next(connection.sql("FROM t").to_arrow_reader(1000))
        raise KeyError
    with pytest.raises(duckdb.Error), session() as connection:
        connection.execute("SELECT error('no')")
    assert databases() == before


def test_sessions_of_many_threads_at_once() -> None:
    def count(number: int) -> int:
        with session() as connection:
            connection.execute(f"CREATE TABLE t AS FROM range({number})")
            return int(connection.execute("SELECT count(*) FROM t").fetchall()[0][0])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(40))) == list(range(40))


def test_a_session_in_a_file_leaves_that_file_alone_and_whole(tmp_path: Path) -> None:
    with session(tmp_path / "it's.duckdb") as connection:
        connection.execute("CREATE VIEW one AS SELECT 1 AS a")
        connection.execute("CREATE VIEW two AS SELECT a + 1 AS b FROM one")
    assert [path.name for path in tmp_path.iterdir()] == ["it's.duckdb"]
    moved = (tmp_path / "it's.duckdb").rename(tmp_path / "other.duckdb")
    with duckdb.connect(str(moved), read_only=True) as connection:
        assert connection.execute("FROM two").fetchall() == [(2,)]


def test_settings_of_a_whole_duckdb_are_refused_to_a_session(tmp_path: Path) -> None:
    with session() as connection:
        for change in (close_sandbox, partial(limit_memory, limit="1GB")):
            with pytest.raises(ValueError, match="whole DuckDB"):
                change(connection, tmp_path)
        assert connection.execute("SELECT current_setting('enable_external_access')").fetchall() == [(True,)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_opens_its_own_and_ends() -> None:
    code = """if True:
        import os, signal, sys
        from triptych.converters.views import ViewOptions, prepare
        from triptych.shards.store.database import session
        def count():
            with session() as one, prepare.connect(ViewOptions()) as other:
                return [c.execute("SELECT count(DISTINCT range) FROM range(500_000)").fetchall() for c in (one, other)]
        first = count()
        child = os.fork()
        signal.alarm(60)  # a DuckDB without its threads would wait for ever
        assert count() == first
        sys.exit(os.waitpid(child, 0)[1] if child else 0)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_commands_open_duckdb_only_for_settings_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = imported.bring_in(tmp_path / "store", "speech", imported.speech_rows(tmp_path / "in", 2), tmp_path)
    triptych.convert("jsonl", tmp_path / "speech.jsonl", tmp_path / "warm.jsonl", to="unified")
    opened: list[Any] = []
    bound: Counter[str] = Counter()
    connect, execute = duckdb.connect, duckdb.DuckDBPyConnection.execute

    def counted(self: duckdb.DuckDBPyConnection, query: Any, *values: Any) -> Any:
        bound["elements"] += "samples_with_solutions" in str(query)
        return execute(self, query, *values)

    monkeypatch.setattr(duckdb, "connect", lambda *place, **options: opened.append(place) or connect(*place, **options))
    monkeypatch.setattr(duckdb.DuckDBPyConnection, "execute", counted)
    triptych.store.refresh(store=store)
    assert (len(opened), bound["elements"]) == (0, 0)
    triptych.validate(store=store)
    assert (len(opened), bound["elements"]) == (2, 0)  # both within a limit of memory
    triptych.export("msswift", task="sft", store=store)
    assert (len(opened), bound["elements"]) == (3, 1)
    triptych.convert("jsonl", tmp_path / "speech.jsonl", tmp_path / "out.jsonl", to="msswift", task="sft")
    assert (len(opened), bound["elements"]) == (3, 2)


def test_the_end_of_a_process_closes_it_even_where_something_keeps_its_module() -> None:
    code = (
        "import ctypes\n"
        "def work():\n"
        "    from triptych.shards.store.database import session\n"
        "    with session() as connection:\n"
        "        connection.execute('SELECT 1').fetchall()\n"
        "    ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))\n"
        "work()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
