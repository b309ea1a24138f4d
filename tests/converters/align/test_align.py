"""`align` with PocketSphinx: times of speech whose times are known, refusals by name, and runs that continue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import bring_in
from support.speakers import Sentence, sentences
from support.stores import check_accounts, cli, select
from triptych.converters.annotations.align.aligner import AlignerSettings, Clip, Times, aligner_of
from triptych.converters.candidate import RowError
from triptych.errors import UsageError

pytest.importorskip("pocketsphinx", reason="the extra `align` is not installed")


@pytest.fixture(scope="module")
def spoken() -> list[Sentence]:
    """Of the made sentences those that the model follows; it was trained on people."""
    made = sentences(4)
    return [made[0], made[2], made[3]]


@pytest.fixture(scope="module")
def short(spoken: list[Sentence]) -> list[Sentence]:
    """The first words of each."""
    return [each.first(5) for each in spoken]


def settings(**given: Any) -> AlignerSettings:
    return AlignerSettings("pocketsphinx", **given)


def align(sound: np.ndarray, text: str, *, language: str = "en", **given: Any) -> Times | RowError:
    [found] = aligner_of(settings(**given)).align([Clip("clip", sound, text, language)])
    return found


def refusal(found: Times | RowError) -> RowError:
    assert isinstance(found, RowError)
    return found


def errors(found: Times | RowError, words: Sequence[tuple[str, float, float]]) -> list[float]:
    """How far each boundary is from where it is known to be, in seconds."""
    assert isinstance(found, Times), found
    assert [word.text for word in found.words] == [text for text, *_ in words]
    pairs = zip(found.words, words, strict=True)
    return [abs(a - b) for word, (_, *known) in pairs for a, b in zip((word.start_s, word.end_s), known, strict=True)]


def test_words_are_found_where_they_are_spoken(spoken: list[Sentence]) -> None:
    found = [error for each in spoken for error in errors(align(each.sound, each.text), each.words)]
    assert np.median(found) < 0.02 and np.percentile(found, 95) < 0.12, (np.median(found), np.percentile(found, 95))


def test_phones_fill_the_words_in_order(short: list[Sentence]) -> None:
    found = align(short[0].sound, short[0].text)
    assert isinstance(found, Times)
    edges = {each.start_s for each in found.phones} | {each.end_s for each in found.phones}
    assert all({word.start_s, word.end_s} <= edges for word in found.words)
    assert all(a.end_s == b.start_s for a, b in zip(found.phones, found.phones[1:], strict=False))
    first = [each.text for each in found.phones if each.text != "SIL"][:3]
    assert first == ["HH", "IH", "Z"]


def test_a_clip_does_not_depend_on_those_before_it(short: list[Sentence]) -> None:
    alone = align(short[0].sound, short[0].text)
    align(short[1].sound, short[1].text)
    align(short[1].sound, short[0].text)
    assert align(short[0].sound, short[0].text) == align(short[0].sound, short[0].text) == alone


def test_a_text_that_is_not_what_is_spoken_is_refused(spoken: list[Sentence]) -> None:
    sentence, other = spoken[0], spoken[1]
    words = sentence.text.rstrip(".").split()
    assert refusal(align(sentence.sound, other.text)).reason in ("text_mismatch", "not_alignable")
    assert refusal(align(sentence.sound, " ".join([*words, *other.text.split()[:5]]))).reason == "not_alignable"
    lacking = refusal(align(sentence.sound, " ".join(words[:10])))
    assert lacking.reason == "text_mismatch" and "is spoken, where the text has a pause" in lacking.detail


def test_what_it_cannot_align_is_refused_with_the_reason(spoken: list[Sentence], tmp_path: Path) -> None:
    sound = spoken[0].sound
    unknown = refusal(align(sound, "the Zembla and 5 foxes"))
    assert unknown.reason == "unknown_word" and "Zembla, 5" in unknown.detail
    assert refusal(align(sound, "das Haus", language="de")).reason == "language_unsupported"
    assert refusal(align(np.zeros(121 * 16_000, np.int16), "hello")).reason == "too_long"
    assert refusal(align(np.zeros(100, np.int16), "hello world")).reason == "not_alignable"


def test_pronunciations_are_added_from_a_file(short: list[Sentence], tmp_path: Path) -> None:
    sentence = short[0]
    text = sentence.text.replace("friend", "phrynd")
    assert refusal(align(sentence.sound, text)).reason == "unknown_word"
    names = tmp_path / "names.dict"
    names.write_text(";;; made\nPhrynd  F R EH1 N D\nfriend F R IH N D\n\n")
    known = [(word.replace("friend", "phrynd"), *times) for word, *times in sentence.words]
    found = align(sentence.sound, text, dictionary=str(names))
    assert np.median(errors(found, known)) < 0.03  # type: ignore[arg-type]
    assert "names.dict sha256:" in aligner_of(settings(dictionary=str(names))).producer
    names.write_text("good G UH D\nphrynd F R QQ\n")
    with pytest.raises(UsageError, match=r"names\.dict:2: .*'QQ' is no phone"):
        aligner_of(settings(dictionary=str(names), jobs=2))


@pytest.fixture
def place(tmp_path: Path, short: list[Sentence]) -> Path:
    """A store: two clips and a span of a longer file, one with times of the corpus, a caption, two that fail."""
    one, two, three = short
    gap = np.zeros(8_000, np.int16)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.concatenate([gap, three.sound, gap, one.sound]), 16_000)
    end_s = 0.5 + three.seconds
    words = [{"text": "all", "start_s": 0.0, "end_s": 1.0}]
    first, second = one.write(tmp_path / "1.wav"), two.write(tmp_path / "2.wav")
    rows: list[dict[str, Any]] = [
        {"id": "one", "audio": first, "text": one.text, "task": "asr", "language": "en"},
        {"id": "two", "audio": second, "text": two.text, "language": "en-GB", "task": "asr"},
        {"id": "part", "audio": str(long), "start_s": 0.5, "end_s": end_s, "text": three.text, "language": "en",
         "task": "asr"},
        {"id": "timed", "audio": first, "text": one.text, "words": words, "language": "en", "task": "asr"},
        {"id": "caption", "audio": second, "text": "a man speaks", "language": "en", "task": "aac"},
        {"id": "name", "audio": second, "text": "zembla", "language": "en", "task": "asr"},
    ]  # fmt: skip
    damaged = three.write(tmp_path / "3.wav")
    rows.append({"id": "damaged", "audio": damaged, "text": three.text, "language": "en", "task": "asr"})
    store = bring_in(tmp_path / "store", "mine", rows, tmp_path)
    [row] = select(store, "select audio.path p from samples where id = 'mine/all/damaged'")
    (store / row["p"]).chmod(0o644)
    (store / row["p"]).write_bytes(b"RIFF")
    return store


def times(store: Path, key: str = "words") -> dict[str, list[tuple[str, float, float]]]:
    rows = select(store, f"select id, {key} from samples where {key} is not null order by id")
    return {
        row["id"].rpartition("/")[2]: [(each["text"], each["start_s"], each["end_s"]) for each in row[key]]
        for row in rows
    }


def test_samples_are_aligned_once_and_again_where_they_changed(place: Path, short: list[Sentence]) -> None:
    [done] = triptych.align(store=place)
    assert (done.account.kept, dict(done.account.dropped)) == (3, {"unknown_word": 1, "undecodable": 1})
    assert (done.timed, done.silent) == (1, 1)
    found = times(place)
    assert found["timed"] == [("all", 0.0, 1.0)]
    assert [text for text, *_ in found["one"]] == [text for text, *_ in short[0].words]
    # Seconds of the media, of which the sample is a part.
    starts = [start for _, start, _ in found["part"]]
    known = [start + 0.5 for _, start, _ in short[2].words]
    assert np.median(np.abs(np.array(starts) - known)) < 0.03
    assert set(times(place, "phones")) == {"one", "two", "part"}
    producers = select(place, "select distinct producer from annotations")
    assert len(producers) == 1 and producers[0]["producer"].startswith("align pocketsphinx ")

    [again] = triptych.align("mine", store=place)
    assert (again.account.candidates, again.timed) == (2, 4)
    logged = select(place, "select candidate, reason from events where stage = 'align' order by 1")
    assert [(event["candidate"], event["reason"]) for event in logged] == [
        ("mine/all/damaged", "undecodable"), ("mine/all/name", "unknown_word")
    ]  # fmt: skip
    check_accounts(place)

    triptych.annotate("mine/all/one", "text", "something that nobody said", store=place)
    triptych.annotate("mine/all/two", "text", short[1].text.lower(), store=place)
    [changed] = triptych.align("mine", store=place)
    assert changed.account.candidates == 4 and changed.account.kept == 1
    assert "one" not in times(place) and "one" not in times(place, "phones")
    assert times(place)["two"][0][0] == short[1].words[0][0].lower()
    check_accounts(place)


def test_the_command_counts_says_why_and_exits_1(place: Path) -> None:
    done = cli("align", "mine", "--store", place, "--samples", "1")
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "mine: 0 aligned of 1 sample: 1 undecodable")
    assert "stage = 'align'" in done.stdout
    done = cli("align", "--store", place, "--samples", "2", "--json")
    [result] = json.loads(done.stdout)
    assert result["account"]["dropped"] == {"unknown_word": 1}, "what was refused before comes last"
    assert (done.returncode, result["account"]["kept"]) == (1, 1)
    done = cli("align", "other", "--store", place)
    assert done.returncode == 2 and "no dataset 'other'" in done.stderr
    done = cli("align", "mine", "--store", place, "--acoustic-model", "x")
    assert done.returncode == 2 and "--aligner mfa" in done.stderr


@pytest.mark.shared
def test_words_are_where_people_and_other_aligners_find_them(shared: Path) -> None:
    """One TIMIT sentence, whose words a person marked; one of LibriSpeech, whose words are aligned by its community."""
    timit = shared / "media/timit_ldc93s1/TRAIN/DR1/FCJF0"
    lines = [line.split() for line in (timit / "SA1.WRD").read_text().splitlines()]
    by_hand = [(word, int(start) / 16_000, int(end) / 16_000) for start, end, word in lines]
    sound, _ = soundfile.read(timit / "SA1.WAV", dtype="int16")
    found = errors(align(sound, " ".join(word for word, *_ in by_hand)), by_hand)
    assert np.median(found) <= 0.021 and np.percentile(found, 95) <= 0.05

    line = ",MISTER,QUILTER,IS,THE,APOSTLE,OF,THE,MIDDLE,CLASSES,,AND,WE,ARE,GLAD,TO,WELCOME,HIS,GOSPEL,"
    ends = [0.5, 0.8, 1.27, 1.4, 1.52, 2.15, 2.27, 2.35, 2.62, 3.27, 3.3, 3.45, 3.6, 3.67, 4.07, 4.2, 4.6, 4.84, 5.51,
            5.855]  # fmt: skip
    known = [(word, start, end) for word, start, end in zip(line.split(","), [0.0, *ends], ends, strict=False) if word]
    path = shared / "media/librispeech/LibriSpeech/dev-clean/1272/128104/1272-128104-0000.flac"
    sound, _ = soundfile.read(path, dtype="int16")
    found = errors(align(sound, " ".join(word for word, *_ in known)), known)
    assert np.median(found) <= 0.015 and np.percentile(found, 95) <= 0.04
