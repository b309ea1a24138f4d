"""A card promises what every sample of a split has: a pull that finds otherwise stops, or says how many lack it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.corpora import noise
from support.natives import csv_bytes, packed, parquet, unpacked
from support.pulls import reasons
from support.sounds import SPLITS, pull, rows, write_card
from support.stores import check_accounts, cli
from triptych.catalog.registry import all_cards
from triptych.errors import DamagedError, UsageError

TABLES = """
    reader:
      annotated:
        tables:
          - {{file: "{{split}}.csv"}}
          - {{file: "{{split}}_speakers.csv", join: file, optional: true}}
        media: {{audio: "{{file}}"}}
        id: "{{file}}"
        columns: {{text: {{column: text, optional: true}}, speaker: {{column: speaker, optional: true}}}}
"""
TRANSCRIPTS = """
    reader:
      transcripts: {{media: "{{split}}/{{speaker}}/{{id}}.wav", transcripts: "texts/*.txt"}}
"""
SOURCE = "manual: your own"


def corpus(folder: Path, *, texts: int, count: int = 12, split: str = "train") -> dict[str, bytes]:
    """Files of a split: a table whose first `texts` rows have a text, and the sounds."""
    names = [f"{split}{n:02d}.wav" for n in range(count)]
    table = csv_bytes([("file", "text"), *((name, "hello" if n < texts else "") for n, name in enumerate(names))])
    files = {f"{split}.csv": table} | {f"audio/{name}": noise(n, frames=400) for n, name in enumerate(names)}
    unpacked(folder, files)
    return files


def card(tmp_path: Path, promises: str, reader: str = TABLES) -> Path:
    return write_card(tmp_path, SOURCE, splits=SPLITS, more=f"promises: {promises}", reader=reader)


@pytest.mark.parametrize("options", [{}, {"samples": 3}, {"by": "hash", "samples": 3}], ids=["all", "few", "drawn"])
def test_a_field_that_all_lack_stops_the_pull_before_anything_is_stored(tmp_path: Path, options: Any) -> None:
    corpus(tmp_path / "own", texts=12)
    corpus(tmp_path / "own", texts=0, split="test")
    cards = card(tmp_path, "{test: [text]}")
    with pytest.raises(DamagedError) as caught:
        pull(cards, tmp_path / "store", from_path=tmp_path / "own", split=("test",), **options)
    assert "none of 12 samples of test has a text" in caught.value.message
    assert "looked for in test.csv or test_speakers.csv. Nothing of it was stored" in caught.value.message
    assert caught.value.exit_code == 4
    assert rows(tmp_path / "store") == []
    check_accounts(tmp_path / "store")
    assert pull(cards, tmp_path / "store", from_path=tmp_path / "own", split=("train",)).stored == 12


def test_a_field_of_an_absent_table_is_looked_for_in_that_table(tmp_path: Path) -> None:
    corpus(tmp_path / "own", texts=12)
    with pytest.raises(DamagedError, match=r"no.* has a speaker.*looked for in train\.csv or train_speakers\.csv"):
        pull(card(tmp_path, "[text, speaker]"), tmp_path / "store", from_path=packed(
            tmp_path / "own.zip", corpus(tmp_path / "own", texts=12)))  # fmt: skip
    assert rows(tmp_path / "store") == []


def test_white_space_is_no_text(tmp_path: Path) -> None:
    files = corpus(tmp_path / "own", texts=12)
    (tmp_path / "own/train.csv").write_bytes(files["train.csv"].replace(b"hello", b" \t"))
    with pytest.raises(DamagedError, match="none of 12 samples of train has a text"):
        pull(card(tmp_path, "[text]"), tmp_path / "store", from_path=tmp_path / "own")


@pytest.mark.parametrize(("texts", "told"), [(10, ["2 of 12 samples of train have no text"]), (11, [])])
def test_more_than_a_tenth_without_it_is_told_with_the_count(tmp_path: Path, texts: int, told: list[str]) -> None:
    corpus(tmp_path / "own", texts=texts)
    found = pull(card(tmp_path, "[text]"), tmp_path / "store", from_path=tmp_path / "own")
    assert found.stored == 12
    assert [notice for notice in found.notices if told and told[0] in notice] == found.notices
    assert len(found.notices) == len(told)


def test_what_is_held_back_until_a_field_is_seen_comes_in_order(tmp_path: Path) -> None:
    corpus(tmp_path / "own", texts=0, count=3)
    (tmp_path / "own/train.csv").write_text("file,text\ntrain00.wav,\ntrain01.wav,\ntrain02.wav,seen\n")
    found = pull(card(tmp_path, "[text]"), tmp_path / "store", 2, from_path=tmp_path / "own")
    assert [row["id"][-11:] for row in rows(tmp_path / "store")] == ["train00.wav", "train01.wav"]
    assert found.reached


def test_samples_that_are_named_are_told_of_but_not_refused(tmp_path: Path) -> None:
    """They say nothing of the split: a lost sample is fetched again, also if it is one of the few without a text."""
    corpus(tmp_path / "own", texts=11)
    (tmp_path / "ids.txt").write_text("train11.wav\n")
    given = {"from_path": tmp_path / "own", "ids": tmp_path / "ids.txt"}
    found = pull(card(tmp_path, "[text]"), tmp_path / "store", **given)
    assert found.stored == 1
    assert found.notices[0].startswith("1 of 1 samples of train have no text, which the card promises")


def test_sounds_without_any_transcript_stop_the_pull(tmp_path: Path) -> None:
    unpacked(tmp_path / "own", {f"train/a/{n}.wav": noise(n, frames=400) for n in range(3)})
    unpacked(tmp_path / "own", {"texts/other.txt": b"x a line of another corpus\n"})
    with pytest.raises(DamagedError, match=r"each of 3 samples has no transcript; looked for it in texts/\*\.txt"):
        pull(card(tmp_path, "[text]", TRANSCRIPTS), tmp_path / "store", from_path=tmp_path / "own")
    assert rows(tmp_path / "store") == []


def test_a_split_that_was_asked_for_is_no_label(tmp_path: Path) -> None:
    """Of files that do not say which split they are of nothing is stored, whatever was asked for."""
    own = {"table.csv": b"file,text\na.wav,hello\n", "a.wav": noise(1, frames=400)}
    unpacked(tmp_path / "own", own)
    cards = write_card(tmp_path, "archive: [https://x/table.csv, https://x/a.zip]", splits=SPLITS)
    unpacked(tmp_path / "mirror/x", {"table.csv": own["table.csv"]})
    packed(tmp_path / "mirror/x/a.zip", {"a.wav": own["a.wav"]})
    for number, given in enumerate(({"from_path": tmp_path / "own"}, {"mirror": str(tmp_path / "mirror")})):
        for split in ((), ("test",)):
            store = tmp_path / f"store{number}{len(split)}"
            with pytest.raises(DamagedError, match="the only sample does not say which split it is of"):
                pull(cards, store, split=split, **given)
            assert rows(store) == []
            assert reasons(store) == {"a.wav": "no_split"}
    one = write_card(tmp_path, "archive: [https://x/table.csv, https://x/a.zip]", name="one")
    assert pull(one, tmp_path / "one", name="one", from_path=tmp_path / "own").stored == 1


def test_a_file_named_like_another_split_is_not_the_one_asked_for(tmp_path: Path) -> None:
    data = parquet(tmp_path / "test-00000.parquet", [{"id": "a", "audio": {"bytes": noise(1, frames=400)}}])
    reader = "\n    reader:\n      columns: {{id: id, audio: audio}}\n"
    files = "hub: a/b\n    revision: main\n    files: {train: train-*.parquet, test: test-*.parquet}"
    cards = write_card(tmp_path, files, splits=SPLITS, reader=reader)
    with pytest.raises(UsageError, match="its name says that its split is test, not train"):
        pull(cards, tmp_path / "store", from_path=data, split=("train",))


def test_every_card_of_the_catalog_promises_something() -> None:
    assert [card.name for card in all_cards() if not card.promises] == []
    silent = {"vocalsound", "kinetics400", "kinetics700", "vggsound"}
    assert [card.name for card in all_cards() if card.name in silent and card.languages] == []
    assert "promises   text, speaker" in cli("catalog", "show", "librispeech").stdout
