"""Alignments from TextGrids and CTM files onto stored samples: matched by name, checked, and never lost silently."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import bring_in
from support.stores import check_accounts, cli, select
from triptych.converters.imports.import_data import ImportResult
from triptych.converters.readers.alignments.textgrid import parse
from triptych.errors import UsageError

Tone = Callable[..., bytes]
Tier = list[tuple[float, float, str]]


def long_form(tiers: dict[str, Tier], end: float) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0 ", f"xmax = {end} ",
             "tiers? <exists> ", f"size = {len(tiers)} ", "item []: "]  # fmt: skip
    for number, (name, tier) in enumerate(tiers.items(), start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier" ', f'        name = "{name}" ',
                  "        xmin = 0 ", f"        xmax = {end} ", f"        intervals: size = {len(tier)} "]  # fmt: skip
        for index, (start, stop, text) in enumerate(tier, start=1):
            quoted = text.replace('"', '""')
            lines += [f"        intervals [{index}]:", f"            xmin = {start} ", f"            xmax = {stop} ",
                      f'            text = "{quoted}" ']  # fmt: skip
    return "\n".join(lines) + "\n"


def short_form(tiers: dict[str, Tier], end: float) -> str:
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", f"{end}", "<exists>", f"{len(tiers)}"]
    for name, tier in tiers.items():
        lines += ['"IntervalTier"', f'"{name}"', "0", f"{end}", f"{len(tier)}"]
        for start, stop, text in tier:
            quoted = text.replace('"', '""')
            lines += [f"{start}", f"{stop}", f'"{quoted}"']
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> Path:
    folder = tmp_path_factory.mktemp("alignments")
    for name, pitch, seconds in (("u1", 300, 1.0), ("u2", 310, 1.0), ("long", 320, 2.0)):
        (folder / f"{name}.wav").write_bytes(tone(pitch, seconds=seconds, format="WAV"))
    rows = [
        {"id": "u1", "audio": "u1.wav", "text": "one"},
        {"id": "sub/u2", "audio": "u2.wav", "text": "two"},
        {"id": "long-a", "audio": "long.wav", "start_s": 0.0, "end_s": 1.0, "recording_id": "long", "speaker": "A"},
        {"id": "long-b", "audio": "long.wav", "start_s": 1.0, "end_s": 2.0, "recording_id": "long", "speaker": "B"},
    ]
    bring_in(folder / "store", "mine", rows, folder)
    (folder / "aligned").mkdir()
    return folder


@pytest.fixture
def place(pattern: Path, tmp_path: Path) -> Path:
    """A store with `mine`: u1 and u2 of 1 s, and `long-a`, `long-b`, the halves of a recording `long` of 2 s."""
    return Path(shutil.copytree(pattern, tmp_path / "place", symlinks=True))


def load(format: str, path: Path, place: Path, **options: Any) -> ImportResult:
    done = triptych.import_data(format, path, name="mine", store=place / "store", **options)
    check_accounts(place / "store")
    return done


def aligned(place: Path, key: str = "words") -> dict[str, list[tuple[str, float, float]]]:
    rows = select(place / "store", f"select id, {key} from samples where {key} is not null order by id")
    return {
        row["id"].removeprefix("mine/all/"): [(i["text"], i["start_s"], i["end_s"]) for i in row[key]] for row in rows
    }


def reasons(place: Path) -> dict[str, str]:
    rows = select(place / "store", "select candidate, reason from events")
    return {row["candidate"]: row["reason"] for row in rows}


WORDS: Tier = [(0.0, 0.1, ""), (0.1, 0.4, "hello"), (0.4, 0.9, 'a "quoted" one'), (0.9, 1.0, " ")]
PHONES: Tier = [(0.0, 0.1, "sil"), (0.1, 0.25, "HH"), (0.25, 0.4, "ə"), (0.4, 1.0, "")]


@pytest.mark.parametrize("form", [long_form, short_form])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_words_and_phones_become_annotations_from_every_text_form(
    place: Path, form: Callable[[dict[str, Tier], float], str], encoding: str
) -> None:
    text = form({"words": WORDS, "phones": PHONES}, 1.0)
    (place / "aligned/u1.TextGrid").write_bytes(text.encode(encoding))
    done = load("textgrid", place / "aligned", place, producer="mfa 3.1")
    assert (done.account.kept, done.account.candidates) == (1, 1)
    assert aligned(place) == {"u1": [("hello", 0.1, 0.4), ('a "quoted" one', 0.4, 0.9)]}
    assert aligned(place, "phones") == {"u1": [("sil", 0.0, 0.1), ("HH", 0.1, 0.25), ("ə", 0.25, 0.4)]}
    found = select(place / "store", "select distinct producer from annotations")
    assert found == [{"producer": "mfa 3.1"}]
    again = load("textgrid", place / "aligned/u1.TextGrid", place)
    assert dict(again.account.dropped) == {"duplicate": 1}
    assert select(place / "store", "select count(*) n from annotations") == [{"n": 2}]


def test_a_file_is_matched_by_id_source_id_stem_and_folder(place: Path) -> None:
    for name in ("sub/u2", "u1"):
        path = place / "aligned" / f"{name}.TextGrid"
        path.parent.mkdir(exist_ok=True)
        path.write_text(short_form({"words": WORDS}, 1.0))
    assert load("textgrid", place / "aligned", place).account.kept == 2
    assert set(aligned(place)) == {"u1", "sub/u2"}
    (place / "flat").mkdir()
    (place / "flat/u2.TextGrid").write_text(short_form({"words": [(0.0, 1.0, "other")]}, 1.0))
    load("textgrid", place / "flat", place)
    assert aligned(place)["sub/u2"] == [("other", 0.0, 1.0)]


def test_the_alignment_of_a_recording_is_shared_out_to_its_spans(place: Path) -> None:
    tiers: dict[str, Tier] = {
        "A - words": [(0.1, 0.5, "left"), (0.9, 1.05, "edge")],
        "B - words": [(0.2, 0.4, "crosstalk"), (1.2, 1.9, "right")],
    }
    (place / "aligned/long.TextGrid").write_text(long_form(tiers, 2.0))
    done = load("textgrid", place / "aligned", place)
    assert aligned(place) == {"long-a": [("left", 0.1, 0.5), ("edge", 0.9, 1.05)], "long-b": [("right", 1.2, 1.9)]}
    assert done.notes == ["1 intervals are outside the span of every sample; skipped"]


def test_an_utterances_own_alignment_counts_from_its_start(place: Path) -> None:
    (place / "aligned/words.ctm").write_text("long-b 1 0.25 0.5 hi 0.9\n;; a comment\n\nlong-b 1 0.75 0.25 there\n")
    (place / "aligned/phones.ctm").write_text("long-b 1 0.25 0.125 HH\n")
    assert load("ctm", place / "aligned", place).account.kept == 2
    assert aligned(place) == {"long-b": [("hi", 1.25, 1.75), ("there", 1.75, 2.0)]}
    assert aligned(place, "phones") == {"long-b": [("HH", 1.25, 1.375)]}


def test_ctm_lines_belong_together_wherever_they_stand(place: Path) -> None:
    path = place / "all.ctm"
    path.write_text(
        "u1 1 0.5 0.2 two\nlong 1 0.1 0.2 left\nu1 1 0.1 0.2 one\nlong 1 1.5 0.2 right\nu1 1 0.6 0.2 three\n"
    )
    done = load("ctm", path, place)
    assert aligned(place) == {
        "u1": [("one", 0.1, 0.3), ("two", 0.5, 0.7), ("three", 0.6, 0.8)],
        "long-a": [("left", 0.1, 0.3)], "long-b": [("right", 1.5, 1.7)],
    }  # fmt: skip
    assert done.notes == ["1 alignments have overlapping intervals; kept as they are"]


def test_tiers_of_other_names_are_chosen(place: Path) -> None:
    (place / "aligned/u1.TextGrid").write_text(long_form({"ORT-MAU": WORDS, "MAU": PHONES}, 1.0))
    assert load("textgrid", place / "aligned", place).account.rejected == {"no_tier": 1}
    load("textgrid", place / "aligned", place, word_tier="ort-mau", phone_tier="MAU")
    assert len(aligned(place)["u1"]) == 2
    assert len(aligned(place, "phones")["u1"]) == 3


def test_what_does_not_fit_is_rejected_with_its_reason_and_the_rest_is_laid(place: Path, tone: Tone) -> None:
    rows = [{"id": f"{split}-1/same", "audio": "u1.wav", "split": split} for split in ("train", "test")]
    bring_in(place / "store", "mine", rows, place)
    cases = {
        "nobody": long_form({"words": WORDS}, 1.0),
        "same": long_form({"words": WORDS}, 1.0),
        "u1": long_form({"words": [(0.0, 1.05, "just over")]}, 1.05),
        "sub/u2": long_form({"words": [(0.0, 1.5, "far over")]}, 1.5),
        "long-a": long_form({"words": [(0.5, 0.4, "backwards")]}, 1.0),
        "long-b": long_form({"words": [(0.0, 1.0, "")]}, 1.0),
        "cut": long_form({"words": WORDS}, 1.0)[:300],
        "binary": "ooBinaryFile\x08TextGrid",
        "text": "hello",
    }
    for name, text in cases.items():
        (place / "aligned" / f"{name}.TextGrid").parent.mkdir(exist_ok=True)
        (place / "aligned" / f"{name}.TextGrid").write_text(text)
    (place / "aligned/latin.TextGrid").write_bytes(b'"caf\xe9"')
    done = load("textgrid", place / "aligned", place)
    assert (done.account.kept, done.account.candidates) == (1, 10)
    assert reasons(place) == {
        "nobody": "no_sample", "same": "ambiguous", "sub/u2": "beyond_media", "long-a": "bad_interval",
        "long-b": "empty_alignment", "cut.TextGrid": "bad_textgrid", "binary.TextGrid": "bad_textgrid",
        "text.TextGrid": "bad_textgrid", "latin.TextGrid": "not_utf8",
    }  # fmt: skip
    assert set(aligned(place)) == {"u1"}
    load("textgrid", place / "aligned", place)
    assert len(reasons(place)) == 9


def test_bad_ctm_lines_and_channels_nobody_told_apart_are_counted(place: Path) -> None:
    path = place / "x.ctm"
    path.write_text("u1 1 0.1\nu1 1 soon 0.1 x\nu1 1 0.1 -0.05 back\nu2 A 0.1 0.1 left\nu2 B 0.1 0.1 right\n")
    done = load("ctm", path, place)
    assert done.account.rejected == {"bad_row": 2, "bad_interval": 1, "ambiguous": 2}
    assert aligned(place) == {}


def test_it_needs_samples_to_align_and_takes_no_options_of_tables(place: Path) -> None:
    (place / "aligned/u1.TextGrid").write_text(long_form({"words": WORDS}, 1.0))
    with pytest.raises(UsageError, match="no samples to align"):
        triptych.import_data("textgrid", place / "aligned", name="other", store=place / "store")
    for options in ({"values": {"task": "asr"}}, {"link": True}, {"columns": {"a": "text"}}):
        with pytest.raises(UsageError, match="import textgrid does not take"):
            load("textgrid", place / "aligned", place, **options)
    done = cli("import", "textgrid", place / "aligned", "--name", "mine", "--store", place / "nowhere")
    assert done.returncode == 2
    assert not (place / "nowhere").exists()


def test_the_command_tells_what_it_did(place: Path) -> None:
    (place / "aligned/u1.TextGrid").write_text(long_form({"words": WORDS}, 1.0))
    done = cli("import", "textgrid", place / "aligned", "--name", "mine", "--store", place / "store", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["account"]["kept"] == 1


@pytest.mark.shared
def test_real_textgrids_of_every_form(shared: Path, tmp_path: Path) -> None:
    files = shared / "media/praatio/examples/files"
    wide = parse((shared / "media/praatio/tests/files/mary_longfile.TextGrid").read_bytes())
    short = parse((files / "mary.TextGrid").read_bytes())
    assert [(name, len(tier)) for name, tier in wide] == [(name, len(tier)) for name, tier in short]
    words = [interval.text for interval in dict(short)["word"] if interval.text]
    assert words == ["mary", "rolled", "the", "barrel"]
    store = tmp_path / "store"
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav/bobby_words.wav").write_bytes((files / "bobby.wav").read_bytes())
    triptych.import_data("folder", tmp_path / "wav", name="bobby", store=store)
    done = triptych.import_data("textgrid", files / "bobby_words.TextGrid", name="bobby", store=store)
    assert done.account.kept == 1
    [row] = select(store, "select words from samples")
    assert [item["text"] for item in row["words"]] == ["BOBBY", "RIPPED", "THE", "LEDGER"]
    assert row["words"][0] == {"text": "BOBBY", "start_s": 0.06469123242311078, "end_s": 0.41156462585}


@pytest.mark.shared
def test_a_real_ctm(shared: Path, tmp_path: Path, tone: Tone) -> None:
    store = tmp_path / "store"
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav/recording-1.flac").write_bytes(tone(seconds=1.0))
    triptych.import_data("folder", tmp_path / "wav", name="r", store=store)
    fixtures = shared / "media/lhotse/test/fixtures"
    triptych.import_data("ctm", fixtures / "supervision_with_scores.ctm", name="r", store=store)
    [row] = select(store, "select words from samples")
    assert [(i["text"], i["start_s"], i["end_s"]) for i in row["words"]] == [
        ("transcript", 0.1, 0.18), ("of", 0.18, 0.2), ("the", 0.2, 0.23), ("first", 0.23, 0.3), ("segment", 0.3, 0.4),
    ]  # fmt: skip


def test_words_of_one_channel_are_not_given_to_another(place: Path) -> None:
    soundfile.write(place / "two.wav", np.random.default_rng(0).uniform(-0.1, 0.1, (16000, 2)), 16000)
    rows = [
        {"id": f"c{n}", "audio": "two.wav", "start_s": 0.0, "end_s": 0.9, "channel": n, "recording_id": "two"}
        for n in (0, 1)
    ]
    bring_in(place / "store", "two", rows, place)
    (place / "aligned/two.TextGrid").write_text(long_form({"words": [(0.1, 0.4, "hello")]}, 1.0))
    done = triptych.import_data("textgrid", place / "aligned/two.TextGrid", name="two", store=place / "store")
    assert done.account.dropped == {"ambiguous": 1}
    (place / "two.ctm").write_text("two 0 0.1 0.3 hello\ntwo 1 0.4 0.3 there\n")
    triptych.import_data("ctm", place / "two.ctm", name="two", store=place / "store")
    found = select(place / "store", "select channel, words[1].text word from samples where dataset = 'two' order by id")
    assert found == [{"channel": 0, "word": "hello"}, {"channel": 1, "word": "there"}]
