"""How often a pull parses its card, opens the store's tables and connects to DuckDB: what makes a small one quick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pytest
from support.corpora import Utterance, archive, card, members
from triptych.catalog import registry
from triptych.cli import app
from triptych.shards.store import table_cache
from triptych.shards.store.store import Store
from typer.testing import CliRunner

COUNT = 6
SPOKEN = [Utterance("train", n) for n in range(2 * COUNT)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """What was done since the counter was cleared."""
    found: Counter[str] = Counter()

    def count(what: str, function: Any) -> Any:
        def wrapper(*args: Any, **options: Any) -> Any:
            found[what] += 1
            return function(*args, **options)

        return wrapper

    monkeypatch.setattr(registry, "check_card", count("cards", registry.check_card))
    monkeypatch.setattr(deltalake.DeltaTable, "__init__", count("tables", deltalake.DeltaTable.__init__))
    monkeypatch.setattr(duckdb, "connect", count("connections", duckdb.connect))
    registry._checked.cache_clear()
    yield found
    registry._checked.cache_clear()


def pull(folder: Path, root: Path, samples: int) -> str:
    """The command in this process."""
    asked = ["catalog", "pull", "words", "--split", "train", "--samples", samples, "--mirror", folder / "mirror"]
    done = CliRunner().invoke(app, [*map(str, [*asked, "--cards", folder / "cards", "--store", root])])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    archive(
        tmp_path / "mirror/example.org/words/train.tar.gz", members(Utterance("train", n) for n in range(2 * COUNT))
    )
    card(tmp_path / "cards")
    return tmp_path


def test_a_pull_parses_its_card_once_and_opens_little(folder: Path, counted: Counter[str]) -> None:
    root = folder / "store"
    Store.create(root)
    counted.clear()
    table_cache.forget_tables()
    assert f"{COUNT} stored" in pull(folder, root, COUNT)
    assert counted["cards"] == 1
    # Three for what is stored before and after; what remains are the commits, and the views after each.
    assert counted["tables"] <= 26, counted
    assert counted["connections"] <= 1, counted  # the process's own, unless an earlier test has opened it


def test_a_repeated_pull_reads_two_tables_and_looks_for_lost_media(folder: Path, counted: Counter[str]) -> None:
    root = folder / "store"
    pull(folder, root, COUNT)
    counted.clear()
    table_cache.forget_tables()  # as a process of its own
    assert "nothing to fetch" in pull(folder, root, COUNT)
    assert counted == Counter(cards=0, tables=2, connections=0)


def test_a_card_that_was_changed_is_parsed_anew(folder: Path, counted: Counter[str]) -> None:
    path = folder / "cards/words.yaml"
    extra = (folder / "cards",)
    assert registry.get_card("words", extra=extra) is registry.get_card("words", extra=extra)
    path.write_text(path.read_text().replace("title: Words", "title: Other words"))
    assert registry.get_card("words", extra=extra).title == "Other words"
    assert counted["cards"] == 2
