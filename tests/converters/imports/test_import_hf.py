"""Importing what `datasets` saved to disk: bytes untouched, splits and class names kept, nothing executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych
from datasets import Audio, ClassLabel, Dataset, DatasetDict, Features, List, Value
from support.stores import check_accounts, check_media, select
from triptych.converters.imports.import_data import ImportResult
from triptych.errors import UsageError

Tone = Callable[..., bytes]
FEATURES = Features(
    {
        "audio": Audio(decode=False),
        "sentence": Value("string"),
        "emotion": ClassLabel(names=["angry", "calm"]),
        "events": List(ClassLabel(names=["dog", "cat"])),
        "meta": {"room": Value("int32"), "place": ClassLabel(names=["home", "street"])},
    }
)


def dataset(tone: Tone, count: int, *, first: int = 0) -> Dataset:
    numbers = range(first, first + count)
    rows: dict[str, list[Any]] = {
        "audio": [{"bytes": tone(300 + n), "path": f"clip{n}.flac"} for n in numbers],
        "sentence": [f"text {n}" for n in numbers],
        "emotion": [n % 3 - 1 for n in numbers],
        "events": [[1, 0] for _ in numbers],
        "meta": [{"room": n, "place": 1} for n in numbers],
    }
    return Dataset(pa.table(rows, schema=FEATURES.arrow_schema))


def load(path: Path, **options: Any) -> ImportResult:
    done = triptych.import_data("hf", path, name="mine", store=path.parent / "store", **options)
    check_accounts(path.parent / "store")
    check_media(path.parent / "store")
    return done


def rows(path: Path, columns: str) -> list[dict[str, Any]]:
    return select(path.parent / "store", f"select {columns} from samples order by id")


@pytest.fixture
def saved(tmp_path: Path, tone: Tone) -> Path:
    both = DatasetDict({"train": dataset(tone, 4), "test": dataset(tone, 1, first=9)})
    both.save_to_disk(tmp_path / "saved", num_shards={"train": 2, "test": 1})
    return tmp_path / "saved"


def test_splits_bytes_and_class_names_come_through(saved: Path, tone: Tone) -> None:
    done = load(saved)
    assert (done.account.kept, done.account.candidates) == (5, 5)
    found = rows(saved, "id, text, labels, extra['events'] events, extra['meta'] meta, audio.path p, revision")
    meta = '{"place": "street", "room": %d}'
    assert [(r["id"], r["text"], r["labels"], r["events"], r["meta"]) for r in found] == [
        ("mine/test/clip9", "text 9", None, '["cat", "dog"]', meta % 9),
        ("mine/train/clip0", "text 0", None, '["cat", "dog"]', meta % 0),
        ("mine/train/clip1", "text 1", ["angry"], '["cat", "dog"]', meta % 1),
        ("mine/train/clip2", "text 2", ["calm"], '["cat", "dog"]', meta % 2),
        ("mine/train/clip3", "text 3", None, '["cat", "dog"]', meta % 3),
    ]
    assert (saved.parent / "store" / found[1]["p"]).read_bytes() == tone(300)
    fingerprint = json.loads((saved / "test/state.json").read_text())["_fingerprint"]
    assert found[0]["revision"] == f"fingerprint:{fingerprint}"
    assert load(saved).account.dropped == {"duplicate": 5}


def test_one_dataset_has_no_split_but_the_one_it_is_given_and_columns_can_be_mapped(saved: Path) -> None:
    load(saved / "train", columns={"events": "labels"}, values={"split": "dev"}, id_column="sentence")
    assert rows(saved / "train", "id, labels")[0] == {"id": "mine/dev/text 0", "labels": ["cat", "dog"]}


def test_media_that_is_only_a_path_is_looked_for(tmp_path: Path, tone: Tone) -> None:
    dataset(tone, 2).save_to_disk(tmp_path / "saved")
    shard = tmp_path / "saved/data-00000-of-00001.arrow"
    with pa.ipc.open_stream(shard.read_bytes()) as reader:
        table = reader.read_all()
    paths = pa.array([{"bytes": None, "path": name} for name in ("a.flac", "none.flac")], table.schema[0].type)
    table = table.set_column(0, table.schema[0], paths)
    with pa.ipc.new_stream(shard, table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "media").mkdir()
    (tmp_path / "media/a.flac").write_bytes(tone(500))
    done = load(tmp_path / "saved", media_dir=tmp_path / "media")
    assert (done.account.kept, done.account.rejected) == (1, {"missing_media": 1})


def test_a_class_without_a_name_and_damaged_files_have_reasons(saved: Path) -> None:
    info = json.loads((saved / "train/dataset_info.json").read_text())
    info["features"]["emotion"]["names"] = []
    (saved / "train/dataset_info.json").write_text(json.dumps(info))
    shard = saved / "test/data-00000-of-00001.arrow"
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    (saved / "train/data-00001-of-00002.arrow").unlink()
    done = load(saved)
    assert (done.account.kept, done.account.rejected) == (1, {"bad_value": 1, "corrupt_arrow": 1, "missing_file": 1})


def test_a_folder_that_was_not_saved_so_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match=r"no state\.json") as caught:
        load(tmp_path / "other")
    assert "triptych import parquet" in (caught.value.hint or "")


@pytest.mark.shared
def test_a_real_dataset_of_the_hub_keeps_every_byte(shared: Path, tmp_path: Path) -> None:
    hub = shared / "mirror/huggingface.co/datasets/openslr/librispeech_asr/resolve/main"
    table = pq.read_table(hub / "all/test.other/0000.parquet")
    DatasetDict({"test.other": Dataset(table)}).save_to_disk(tmp_path / "saved")
    assert load(tmp_path / "saved").account.kept == table.num_rows == 70
    found = rows(tmp_path / "saved", "id, text, audio.sha256 sha256")
    expected = {f"mine/test.other/{row['id']}": row for row in table.to_pylist()}
    assert {row["id"]: row["text"] for row in found} == {name: row["text"] for name, row in expected.items()}
    for row in found:
        assert row["sha256"] == hashlib.sha256(expected[row["id"]]["audio"]["bytes"]).hexdigest()
