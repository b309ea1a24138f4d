"""`phoneme`: phones of alignments in a phone set, as conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound
from triptych.errors import ProblemsFound, UsageError
from triptych.shards.phones import PHONES, SILENCE, fold, labels
from triptych.validators.formats import summarise_file
from triptych.validators.formats.speech.phoneme import Rows

TIMIT = "h# sh ix hv eh dcl d q zh"


def timed(labels: str, *, at: float = 0.0, step: float = 0.1) -> list[dict[str, Any]]:
    return [
        {"text": label, "start_s": round(at + n * step, 3), "end_s": round(at + (n + 1) * step, 3)}
        for n, label in enumerate(labels.split())
    ]


def word(text: str, start: float, end: float) -> dict[str, Any]:
    return {"text": text, "start_s": start, "end_s": end}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phones")
    long = str(sound(folder / "long.flac", noise(3, seed=1)))
    short = str(sound(folder / "short.flac", noise(1, seed=2)))
    arpabet = timed("SIL HH_B AH0_I L_I OW1_E sp W_B ER1_I L_I D_E")
    rows = [
        {"id": "timit", "audio": long, "phones": timed(TIMIT), "words": [word("she", 0.1, 0.3), word("had", 0.3, 0.7)]},
        {
            "id": "arpabet",
            "audio": long,
            "phones": arpabet,
            "words": [word("hello", 0.1, 0.5), word("world", 0.6, 1.0)],
        },
        {"id": "span", "audio": long, "start_s": 1.0, "end_s": 2.0, "phones": timed("sil b iy", at=0.8)},
        {"id": "noise", "audio": long, "phones": timed("b spn iy")},
        {"id": "late", "audio": short, "phones": timed("b iy", at=1.0, step=0.2)},
        {"id": "crammed", "audio": short, "phones": timed(" ".join(["b"] * 45), step=0.02)},
        {"id": "none", "audio": short},
    ]
    rows = [row | {"text": "x", "language": "en", "split": "train"} for row in rows]
    return bring_in(folder / "store", "said", rows, folder)


def answers(store: Path, **options: Any) -> tuple[dict[str, str], Any]:
    made = triptych.export("phoneme", store=store, **options)
    assert not any("'text'" in warning for warning in made.warnings)  # phones say it
    version = made.version
    rows = list(read_lines(version.data))
    return {row["id"].rpartition("/")[2]: row["conversations"][1]["value"] for row in rows}, version


def test_phones_are_folded_to_the_set_and_the_inventory_lists_them(store: Path) -> None:
    found, version = answers(store)
    assert found == {
        "timit": "sil sh ih hh eh sil d sh", "arpabet": "sil hh ah l ow sil w er l d", "span": "iy",
    }  # fmt: skip
    counts = {"written": 3, "unknown_phone": 1, "phones_after_end": 1, "no_phones": 1, "refused_too_many_phones": 1}
    assert version.manifest["counts"] == counts
    row = next(row for row in read_lines(version.data) if row["id"].endswith("timit"))
    assert row["conversations"][0] == {"from": "human", "value": "<audio>\n请对该音频进行语音评测"}
    assert (row["phone_set"], row["seconds"]) == ("39", 3.0)
    inventory = json.loads((version.path / "phones.json").read_text(encoding="utf-8"))
    assert inventory["set"] == "39" and inventory["silence"] == ["sil"] and inventory["word_boundary"] is None
    assert inventory["phones"]["sil"] == 4 and sum(inventory["phones"].values()) == 19
    assert summarise_file(version.data, "phoneme").counts == {}


def test_other_sets_boundaries_and_silence(store: Path) -> None:
    found, version = answers(store, phones="48", word_boundaries=True, phone_prompt="Which phones?")
    assert found["timit"] == "sil sh ix | hh eh vcl d zh"
    assert found["arpabet"] == "sil hh ah l ow sil | w er l d"
    assert "span" not in found and version.manifest["counts"]["no_words"] == 2
    row = next(read_lines(version.data))
    assert row["conversations"][0]["value"] == "<audio>\nWhich phones?"
    assert json.loads((version.path / "phones.json").read_text(encoding="utf-8"))["word_boundaries"] == 2
    assert summarise_file(version.data, "phoneme").errors == 0


@pytest.mark.thorough
def test_further_sets_and_silence(store: Path) -> None:
    assert answers(store, drop_silence=True)[0]["timit"] == "sh ih hh eh d sh"
    found, _ = answers(store, phones="61")  # silence of another source has no label there
    assert found == {"timit": TIMIT, "span": "iy"}
    assert answers(store, phones="own", drop_silence=True)[0]["arpabet"] == "HH_B AH0_I L_I OW1_E W_B ER1_I L_I D_E"


def test_the_path_is_in_the_turn_where_that_style_is_asked_for(store: Path) -> None:
    _, version = answers(store, style="inline")
    row = next(row for row in read_lines(version.data) if row["id"].endswith("timit"))
    assert "audio" not in row
    question, answer = row["conversations"]
    assert (question["from"], answer["from"]) == ("user", "assistant")
    path = question["value"].removeprefix("<audio>").partition("</audio>")[0]
    assert Path(path).is_file() and question["value"].endswith("</audio>请对该音频进行语音评测")
    assert summarise_file(version.data, "phoneme").counts == {}


def test_without_rows_each_reason_is_explained_and_a_phone_named(store: Path) -> None:
    with pytest.raises(ProblemsFound) as caught:
        triptych.export("phoneme", where="id LIKE '%noise' OR id LIKE '%none' OR id LIKE '%crammed'", store=store)
    first, filtered, *lines, example = caught.value.message.splitlines()
    assert first == "Nothing to export: 4 filtered, 1 no_phones, 1 refused_too_many_phones, 1 unknown_phone."
    assert filtered == "  4 filtered: not among the samples that --dataset, --split and --where select"
    assert [line.partition(":")[0] for line in lines] == [
        "  1 no_phones", "  1 unknown_phone", "  1 refused_too_many_phones",
    ]  # fmt: skip
    assert "--phones own" in lines[1]
    assert example.startswith("  unknown_phone: the first is 'spn' of said/") and "noise" in example


def test_options_are_checked(store: Path) -> None:
    with pytest.raises(UsageError, match="phone_prompt="):
        triptych.export("phoneme", phone_prompt="<audio>", store=store)
    with pytest.raises(UsageError, match="phones="):
        triptych.export("phoneme", phones="40", store=store)
    with pytest.raises(UsageError, match="drop_silence="):
        triptych.export("unified", drop_silence=True, store=store)


def test_the_table_is_that_of_lee_and_hon() -> None:
    assert [len(PHONES[name]) for name in ("61", "48", "39")] == [61, 48, 39]
    assert [fold(phone, "39") for phone in TIMIT.split() if phone != "q"] == [
        "sil",
        "sh",
        "ih",
        "hh",
        "eh",
        "sil",
        "d",
        "sh",
    ]
    assert [fold(phone, "39") for phone in ["pcl", "p", "ao", "epi", "el", "pau"]] == [
        "sil",
        "p",
        "aa",
        "sil",
        "l",
        "sil",
    ]
    for name in ("48", "39"):
        folded = {fold(phone, name) for phone in PHONES["61"]} - {None}
        assert folded == PHONES[name]
        # leaving silence out before folding is the same as after it
        assert {fold(phone, name) for phone in SILENCE["61"]} <= SILENCE[name]
    assert {fold(phone, "39") for phone in PHONES["48"]} == PHONES["39"]
    with pytest.raises(UsageError):
        fold("b", "40")


def test_labels_of_aligners_are_those_of_the_set() -> None:
    known = labels("39")
    assert known["sp"] == known["h#"] == known["bcl"] == known["sil"] == "sil" and known["q"] == ""
    assert set(known.values()) - {""} == PHONES["39"] and "spn" not in known
    assert "sil" not in labels("61") and labels("61")["q"] == "q"
    assert set(labels("48", drop_silence=True).values()) == PHONES["48"] - SILENCE["48"] | {""}


def row(phones: str, question: str = "<audio>\nask", **fields: Any) -> dict[str, Any]:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": phones}]
    return {"id": "a", "audio": "/a.wav", "conversations": turns, "phone_set": "39", "seconds": 1.0} | fields


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        (row("sil sh iy"), []),
        (row("sil sh iy", "<audio>/b.wav</audio>ask", audio=None), []),
        (row("sh | iy | b"), []),
        (row(""), ["no_phones"]),
        (row("|"), ["no_phones"]),
        (row("sil ix"), ["unknown_phone"]),
        (row("sil ix", phone_set="own"), []),
        (row("sil", phone_set=None), ["unknown_set"]),
        (row("| sil iy"), ["misplaced_boundary"]),
        (row("sil | | iy"), ["misplaced_boundary"]),
        (row(" ".join(["b"] * 41)), ["too_many_phones"]),
        (row("b", seconds=2.5), ["few_phones"]),
        (row("b", "ask"), ["no_sound"]),
        (row("b", "<audio>"), ["no_prompt"]),
        (row("b", "<audio>b.wav</audio>ask"), ["relative_path"]),
        (row("b") | {"conversations": [{"from": "human", "value": "<audio>ask"}]}, ["bad_turns"]),
        (row("b") | {"conversations": "b"}, ["bad_turns"]),
    ],
)
def test_findings_of_a_row(given: dict[str, Any], codes: list[str]) -> None:
    assert [found.code for found in Rows(files=False).check(1, given)] == codes


@pytest.mark.shared
def test_real_phones_of_librivox(shared: Path, tmp_path: Path) -> None:
    folder = shared / "media/pocketsphinx/test/data/librivox"
    rows = [
        {"id": path.stem, "audio": str(path), "text": path.stem, "language": "en", "split": "train"}
        for path in sorted(folder.glob("*.wav"))
    ]
    bring_in(tmp_path / "store", "librivox", rows, tmp_path)
    triptych.import_data("aligner-json", folder, name="librivox", store=tmp_path / "store")
    found, version = answers(tmp_path / "store", word_boundaries=True)
    assert len(found) == 5 and summarise_file(version.data, "phoneme").counts == {}
    assert next(text for name, text in found.items() if name.endswith("0880")).startswith("sil hh iy | w ah z | n aa t")
    (tmp_path / "terms.txt").write_text("ill disposed\nyoung man\n", encoding="utf-8")
    made = triptych.export("term-chunks", glossary=tmp_path / "terms.txt", store=tmp_path / "store").version
    texts = [row["term_chunk_text"] for row in read_lines(made.data)]
    assert texts and summarise_file(made.data, "term-chunks").counts == {}
    assert any("ill disposed young man" in text for text in texts)


def test_alignments_that_lose_a_boundary_or_an_order_have_no_row(tmp_path: Path) -> None:
    clip = str(sound(tmp_path / "a.flac", noise(2, seed=1)))
    phones, spoken = timed("hh iy l ow", at=0.2, step=0.2), [word("he", 0.2, 0.6), word("low", 0.6, 1.0)]
    bare = {"text": "m", "start_s": None, "end_s": None}
    cases: dict[str, dict[str, Any]] = {
        "good": {"phones": phones, "words": spoken},
        "untimed_word": {"phones": phones, "words": [spoken[0], word("low", 0.6, 0.6)]},
        "words_out_of_order": {"phones": phones, "words": spoken[::-1]},
        "phones_out_of_order": {"phones": [*phones[2:], *phones[:2]], "words": spoken},
        "untimed_phone": {"phones": [*phones, bare], "words": spoken, "start_s": 0.2, "end_s": 1.2},
    }
    rows = [{"id": name, "audio": clip, "text": "x", "language": "en", "split": "train", **case}
            for name, case in cases.items()]  # fmt: skip
    store = bring_in(tmp_path / "store", "said", rows, tmp_path)
    found, version = answers(store, word_boundaries=True)
    assert found == {"good": "hh iy | l ow"}
    assert version.manifest["counts"] == {"written": 1, **dict.fromkeys([*cases][1:], 1)}
    assert answers(store)[1].manifest["counts"] == {"written": 3, "phones_out_of_order": 1, "untimed_phone": 1}
