"""Hub Parquet through a mapping: names for class numbers, ids out of columns and rows, and nothing read in vain."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.raws import Stream, read, reasons
from triptych.converters.candidate import RawFile
from triptych.errors import DamagedError, UsageError

SOUND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def parquet(rows: list[dict[str, Any]], *, features: Mapping[str, Any] | None = None, group: int = 100) -> bytes:
    """A file as `datasets` writes it; `features` go to the metadata of the schema."""
    table = pa.Table.from_pylist(rows)
    if features is not None:
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=group)
    return file.getvalue()


def sound(data: bytes, path: str | None = "a.wav") -> dict[str, Any]:
    return {"bytes": data, "path": path}


def test_class_labels_come_as_the_names_of_the_hubs_metadata_and_never_as_numbers() -> None:
    features = {
        "audio": {"_type": "Audio"},
        "intent_class": {"names": ["abroad", "address"], "_type": "ClassLabel"},
        "tags": {"feature": {"names": ["x", "y", "z"], "_type": "ClassLabel"}, "_type": "List"},
        "lang_id": {"names": ["cs-CZ", "de-DE"], "_type": "ClassLabel"},
    }
    rows = [
        {"path": "1.wav", "audio": sound(b"1"), "intent_class": 1, "tags": [2, 0], "lang_id": 1},
        {"path": "2.wav", "audio": sound(b"2"), "intent_class": -1, "tags": [], "lang_id": 0},
    ]
    options = {"id": "{path|stem}", "audio": "audio", "labels": ["intent_class", "tags"], "language": "lang_id"}
    candidates, rejections = read("columns", Stream({"0.parquet": parquet(rows, features=features)}), options)
    assert rejections == []
    assert [(c.source_id, c.fields.get("labels"), c.fields["language"]) for c in candidates] == [
        ("1", ["address", "z", "x"], "de-DE"), ("2", None, "cs-CZ"),
    ]  # fmt: skip


def test_class_numbers_without_names_are_refused_and_take_names_of_the_card() -> None:
    rows = [{"id": "1", "label": 1, "audio": sound(b"1")}]
    files = {"0.parquet": parquet(rows)}
    _, rejections = read("columns", Stream(files), {"id": "id", "audio": "audio", "labels": "label"})
    assert [r.reason for r in rejections] == ["bad_value"]
    named = {"id": "id", "audio": "audio", "labels": {"column": "label", "names": ["laughter", "sigh"]}}
    [candidate], _ = read("columns", Stream(files), named)
    assert candidate.fields["labels"] == ["sigh"]


def test_ids_are_made_of_columns_rows_and_files() -> None:
    rows = [{"youtube_id": "-a_b", "start_time": 30, "caption": "x", "audio": sound(b"1")}] * 2
    made = {
        "{youtube_id}_{start_time}": ["-a_b_30", "-a_b_30"],
        "{file}-{row}": ["test-0", "test-1"],
        "{split}/{row:04d}": ["dev/0000", "dev/0001"],
    }
    for template, expected in made.items():
        files = Stream({"data/test.parquet": parquet(rows)}, split="dev")
        candidates, _ = read("columns", files, {"id": template, "text": "caption", "audio": "audio"})
        assert [c.source_id for c in candidates] == expected
        assert candidates[0].fields["extra"] == {"youtube_id": "-a_b", "start_time": "30"}


def test_a_column_named_like_what_the_reader_knows_goes_first_and_is_kept() -> None:
    rows = [{"id": "1", "file": "x.mp3", "split": "train", "audio": sound(b"1")}]
    [candidate], _ = read(
        "columns", Stream({"0.parquet": parquet(rows)}, split="dev"), {"id": "{file}", "audio": "audio"}
    )
    assert (candidate.source_id, candidate.split) == ("x.mp3", "dev")
    assert candidate.fields["extra"] == {"id": "1", "file": "x.mp3", "split": "train"}


def test_media_is_bytes_or_a_struct_of_any_kind_and_unmapped_media_is_left_out() -> None:
    rows = [
        {"index": 7, "video": b"V", "audio": sound(b"A", None), "image": sound(b"I", "x/i.png"), "mask": sound(b"M")}
    ]
    options = {"id": "index", "video": "video", "audio": "audio", "image": {"column": "image", "optional": True}}
    [candidate], _ = read("columns", Stream({"0.parquet": parquet(rows)}), options)
    assert [(kind, blob.name, blob.data) for kind, blob in candidate.media] == [
        ("audio", "7", b"A"), ("video", "7", b"V"), ("image", "i.png", b"I"),
    ]  # fmt: skip
    assert "extra" not in candidate.fields


def test_what_gives_the_answer_away_stays_in_extra_under_names_with_spaces() -> None:
    rows = [{
        "index": 1, "task type": "Action", "question": "what?", "options": ["a cat", "a dog"], "answer": "a dog",
        "audio content": "a dog barks", "audio": sound(b"A"),
    }]  # fmt: skip
    options = {
        "id": "index",
        "question": "question",
        "choices": "options",
        "answer": "answer",
        "labels": "task type",
        "extra": {"answer_letter": {"column": "answer", "letter_of": "options"}},
        "audio": "audio",
    }
    [candidate], _ = read("columns", Stream({"0.parquet": parquet(rows)}), options)
    assert (candidate.fields["answer"], candidate.fields["labels"]) == ("a dog", ["Action"])
    assert candidate.fields["extra"] == {"audio content": "a dog barks", "answer_letter": "B"}


def test_a_correct_choice_by_number_and_options_that_are_not_there() -> None:
    rows = [{"id": "v", "correct_choice": 1, "option0": "red", "option1": "blue", "option2": "N/A", "video": b"V"}]
    choices = {"columns": ["option0", "option1", "option2"], "drop": "N/A"}
    options = {
        "id": "id", "choices": choices, "answer": {"column": "correct_choice", "choice_of": choices}, "video": "video",
    }  # fmt: skip
    [candidate], _ = read("columns", Stream({"0.parquet": parquet(rows)}), options)
    assert (candidate.fields["choices"], candidate.fields["answer"]) == (["red", "blue"], "blue")


def test_thinking_and_response_are_told_apart_under_whatever_names_a_part_uses() -> None:
    said = "<THINK><PLANNING>p</PLANNING></THINK><RESPONSE> two dogs </RESPONSE>"
    options = {
        "id": "{config}/{row}",
        "question": {"try": ["question", "prompt"]},
        "reasoning": {"try": ["answer", "response"], "tag": "THINK"},
        "answer": {"try": ["answer", "response"], "tag": "RESPONSE"},
        "audio": {"try": ["audio", "wav"]},
    }
    for names in (("question", "answer", "audio"), ("prompt", "response", "wav")):
        row = dict(zip(names, ("how many?", said, sound(b"A")), strict=True))
        [candidate], rejections = read("columns", configured({"0.parquet": parquet([row])}), options)
        assert rejections == []
        assert candidate.source_id == "s2tt/0"
        fields = candidate.fields
        assert (fields["question"], fields["reasoning"], fields["answer"]) == (
            "how many?", "<PLANNING>p</PLANNING>", "two dogs",
        )  # fmt: skip
        assert candidate.media[0][1].data == b"A"


def configured(files: dict[str, bytes]) -> list[RawFile]:
    return [RawFile(file.name, file.uri, "r1", file.size, file.opener, config="s2tt") for file in Stream(files)]


def test_null_like_words_are_dropped_and_the_first_text_that_is_there_is_taken() -> None:
    rows = [{"id": "1", "raw_text": "", "normalized_text": "one", "speaker_id": "None", "audio": sound(b"1")}]
    options = {
        "id": "id",
        "text": {"try": ["raw_text", "normalized_text"]},
        "speaker": {"column": "speaker_id", "drop": ["None"]},
        "language": {"const": "en"},
        "audio": "audio",
    }
    [candidate], _ = read("columns", Stream({"0.parquet": parquet(rows)}), options)
    assert (candidate.fields["text"], candidate.fields["language"]) == ("one", "en")
    assert "speaker" not in candidate.fields


def test_a_column_that_is_not_there_is_told_unless_the_card_calls_it_optional() -> None:
    files = {"0.parquet": parquet([{"id": "1", "audio": sound(b"1")}])}
    with pytest.raises(DamagedError, match=r"expects column.s. gender, video; there are id, audio"):
        read("columns", Stream(files), {"id": "id", "labels": "gender", "audio": "audio", "video": "video"})
    optional = {"column": "gender", "optional": True}
    [candidate], _ = read("columns", Stream(files), {"id": "id", "labels": optional, "audio": "audio"})
    assert "labels" not in candidate.fields


def test_a_mapping_without_an_id_is_refused() -> None:
    with pytest.raises(UsageError, match="must define the `id` column"):
        read("columns", Stream({}), {"text": "text"})


def test_rows_of_other_splits_and_rejected_texts_do_not_become_samples() -> None:
    texts = [("train", "a"), ("valid", "b"), ("valid", "<SIL>"), ("other", "c")]
    rows = [{"id": str(n), "part": part, "text": text, "audio": sound(b"1")} for n, (part, text) in enumerate(texts)]
    options = {
        "id": "id", "text": "text", "audio": "audio",
        "split": {"column": "part", "map": {"valid": "validation"}, "only": ["train", "validation"]},
        "reject": [{"column": "text", "values": ["<SIL>"], "reason": "no_speech"}],
    }  # fmt: skip
    candidates, rejections = read(
        "columns", Stream({"0.parquet": parquet(rows)}), options, wants=lambda split: split in (None, "validation")
    )
    assert [(c.source_id, c.split) for c in candidates] == [("1", "validation")]
    assert reasons(rejections) == [("2", "no_speech")]


def test_a_bad_cell_rejects_its_row_and_no_other() -> None:
    rows = [{"id": "1", "at": "soon", "audio": sound(b"1")}, {"id": "2", "at": "1.5", "audio": sound(b"2")}]
    candidates, rejections = read(
        "columns", Stream({"0.parquet": parquet(rows)}), {"id": "id", "start_s": "at", "audio": "audio"}
    )
    assert [(c.source_id, c.fields["start_s"]) for c in candidates] == [("2", 1.5)]
    assert [(r.candidate, r.reason) for r in rejections] == [("raw:0.parquet#row=0", "bad_value")]


class Counting(io.BytesIO):
    """Counts the bytes that are read of a file."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        taken = super().readinto(buffer)
        self.taken += taken
        return taken


def large(tmp_path: Path) -> tuple[Counting, list[RawFile]]:
    """Six row groups of two rows, 200 kB of media each row."""
    rows = [
        {"id": f"r{n}", "text": f"t{n}", "audio": sound(bytes([n]) * 1000 + n.to_bytes(2, "big") * 100_000)}
        for n in range(12)
    ]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=2, compression="none", use_dictionary=False)
    opened = Counting(file.getvalue())
    return opened, [RawFile("0.parquet", "raw:0.parquet", "r1", len(file.getvalue()), lambda: opened, split="train")]


def test_groups_without_a_chosen_row_and_groups_that_are_stored_are_not_read(tmp_path: Path) -> None:
    options = {"id": "id", "text": "text", "audio": "audio"}
    opened, files = large(tmp_path)
    candidates, _ = read("columns", files, options, chosen=lambda identity, config, split: identity == "r5")
    assert [c.source_id for c in candidates] == ["r5"]
    assert 400_000 < opened.taken < 600_000
    opened, files = large(tmp_path)
    candidates, _ = read("columns", files, options, settled=lambda ids, revision: ids[0] != "corpus/train/r4")
    assert [c.source_id for c in candidates if not c.settled] == ["r4", "r5"]
    assert len(candidates) == 12
    assert 400_000 < opened.taken < 600_000


def test_a_listing_reads_no_media_but_all_fields(tmp_path: Path) -> None:
    opened, files = large(tmp_path)
    candidates, _ = read("columns", files, {"id": "id", "text": "text", "audio": "audio"}, index_only=True)
    assert [(c.source_id, c.fields["text"], c.media[0][1].data) for c in candidates][3] == ("r3", "t3", None)
    assert (len(candidates), opened.taken < 200_000) == (12, True)


def test_a_file_that_is_no_parquet_is_damaged() -> None:
    _, rejections = read("columns", Stream({"0.parquet": b"PAR1 not really"}), {"id": "id"})
    assert [(r.reason, r.damaged) for r in rejections] == [("corrupt_parquet", True)]


def nested(name: str, questions: list[dict[str, str]]) -> dict[str, Any]:
    return {"about": {"name": f"{name}.mp4", "more": {"title": f"On {name}", "asked": questions}, "fps": 25},
            "film": name.encode()}  # fmt: skip


def test_a_value_inside_a_column_of_objects_has_a_name_with_dots() -> None:
    options = {"id": "{about.name|stem}", "text": "about.more.title", "video": "film"}
    rows = [nested("a", []), nested("b", [{"q": "Why?", "a": "So."}])]
    candidates, rejections = read("columns", Stream({"0.parquet": parquet(rows)}), options)
    assert rejections == []
    assert [(each.source_id, each.fields["text"]) for each in candidates] == [("a", "On a"), ("b", "On b")]
    assert json.loads(candidates[1].fields["extra"]["about"]) == {
        "more": {"asked": [{"a": "So.", "q": "Why?"}]}, "fps": 25,
    }  # fmt: skip
    options["text"] = "about.more.caption"
    with pytest.raises(DamagedError, match=r"expects column\(s\) about\.more\.caption"):
        read("columns", Stream({"0.parquet": parquet(rows)}), options)


def test_a_list_of_objects_makes_several_samples_of_a_row_which_share_its_media() -> None:
    options = {"rows": {"each": "about.more.asked"}, "id": "{about.name|stem}_{index}", "question": "q", "answer": "a",
               "aside": ["about", "about.name"], "video": "film"}  # fmt: skip
    two = [{"q": "Why?", "a": "So."}, {"q": "Where?", "a": "Here."}]
    files = {"0.parquet": parquet([nested("a", two), nested("b", []), nested("c", two[:1])], group=2)}
    candidates, rejections = read("columns", Stream(files), options)
    assert rejections == []
    assert [(each.source_id, each.fields["answer"], each.media[0][1].data) for each in candidates] == [
        ("a_0", "So.", b"a"), ("a_1", "Here.", b"a"), ("c_0", "So.", b"c"),
    ]  # fmt: skip
    assert [each.fields["extra"] for each in candidates] == [{"index": "0"}, {"index": "1"}, {"index": "0"}]
    chosen, _ = read("columns", Stream(files), options, chosen=lambda identity, *_: identity == "a_1")
    assert [each.source_id for each in chosen] == ["a_1"]
    for wrong, missing in (({"answer": "answer"}, "answer"), ({"rows": {"each": "about.asked"}}, "about.asked")):
        with pytest.raises(DamagedError, match=f"expects column\\(s\\) {missing};"):
            read("columns", Stream(files), {**options, **wrong})
