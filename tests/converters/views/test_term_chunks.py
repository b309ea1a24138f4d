"""`term-chunks`: what is cut around terms, what names none, and what training must not have of a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import RATE, bring_in, noise, read_lines, sound
from triptych.converters.views.terms.certificate import certify
from triptych.converters.views.terms.chunks import Utterance, Word, chunks_of, unsure_word, words_of
from triptych.converters.views.terms.glossary import read
from triptych.errors import ProblemsFound, UsageError
from triptych.shards.terms import Phrases, is_term, phrase_of, tokens_of
from triptych.validators.formats import summarise_file
from triptych.validators.formats.speech.term_chunks import Rows, sound_problem

SPOKEN = "the 0 .2 united .3 .6 nations .6 1.1 met 1.1 1.4 in 1.4 1.5 geneva 1.5 2.0 today 9 9.5"


def words(spoken: str, *, at: float = 0.0) -> list[dict[str, Any]]:
    parts = spoken.split()
    return [
        {"text": parts[n], "start_s": at + float(parts[n + 1]), "end_s": at + float(parts[n + 2])}
        for n in range(0, len(parts), 3)
    ]


def said(words: list[dict[str, Any]]) -> str:
    return " ".join(word["text"] for word in words)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an utterance, another as a span of a long recording, one in upper case, and tests."""
    folder = tmp_path_factory.mktemp("terms")
    long = str(sound(folder / "long.wav", noise(12, seed=9)))
    in_span = words("geneva 5.1 5.6 is 5.6 5.8 far 5.8 6.2 paris 8 8.5")
    rows = [
        {"id": "un", "audio": str(sound(folder / "un.wav", noise(10, seed=1))), "words": words(SPOKEN)},
        {"id": "span", "audio": long, "start_s": 5.0, "end_s": 7.0, "words": in_span},
        {"id": "upper", "audio": str(sound(folder / "up.flac", noise(3, seed=2))),
         "words": words("PARIS 1 1.5 UN 2 2.4")},
        {"id": "plain", "audio": str(sound(folder / "p.flac", noise(1, seed=3))), "words": words("nothing .2 .5")},
        {"id": "bare", "audio": str(sound(folder / "b.flac", noise(1, seed=4)))},
        {"id": "t1", "split": "test", "audio": str(sound(folder / "t1.flac", noise(3, seed=5))),
         "words": words("in .2 .4 paris .5 1 or 1.2 1.4 berlin 1.5 2")},
        {"id": "t2", "split": "test", "audio": str(sound(folder / "t2.flac", noise(3, seed=6))),
         "words": words("paris .5 1 again 1.2 1.5")},
        {"id": "copied", "audio": str(folder / "t2.flac"), "words": words("paris .5 1 again 1.2 1.5")},
    ]  # fmt: skip
    for row in rows:
        row.setdefault("split", "train")
        row |= {"text": said(row["words"]) if "words" in row else "nothing", "language": "en"}
    bring_in(folder / "store", "talks", rows, folder)
    glossary = {name: {"term": name.title(), "short_description": f"{name}, a place"} for name in ("paris", "berlin")}
    glossary |= {"united nations": {"term": "United Nations"}, "Geneva, Switzerland": {"term": "Geneva, Switzerland"}}
    glossary |= {"the": {"term": "the"}, "ten years": {"term": "ten years"}}
    (folder / "glossary.json").write_text(json.dumps(glossary), encoding="utf-8")
    (folder / "aliases.json").write_text(json.dumps({"UN": "united nations", "uno": "oslo"}), encoding="utf-8")
    return folder


def export(folder: Path, **options: Any) -> Any:
    options = {"glossary": folder / "glossary.json", "store": folder / "store", **options}
    return triptych.export("term-chunks", **options).version


def rows_of(version: Any) -> dict[str, dict[str, Any]]:
    return {row["id"].partition("/")[2]: row for row in read_lines(version.data)}


def test_a_term_is_cut_with_its_context_and_the_words_that_overlap_it(folder: Path) -> None:
    version = export(folder, name="plain")
    rows = rows_of(version)
    first = rows["train/un#term1"]
    assert first["term_chunk_audio_ground_truth_terms"] == ["united nations"]
    assert (first["term_start_time"], first["term_end_time"]) == (0.3, 1.1)
    assert (first["extended_start_time"], first["extended_end_time"], first["extended_duration"]) == (0.0, 2.1, 2.1)
    assert first["actual_extended_start"] == -0.7 and first["context_seconds"] == 1.0
    assert first["term_chunk_text"] == "the united nations met in geneva"
    cut, rate = soundfile.read(first["audio"], dtype="int16")
    assert rate == RATE and np.array_equal(cut, noise(10, seed=1)[: round(2.1 * RATE)])
    second = rows["train/un#term2"]
    assert second["term_chunk_audio_ground_truth_terms"] == ["geneva, switzerland"]
    assert (second["extended_start_time"], second["extended_end_time"]) == (0.5, 3.0)
    assert second["term_chunk_text"] == "united nations met in geneva" and second["other_terms"] == ["united nations"]
    assert soundfile.info(second["audio"]).frames == 2.5 * RATE
    none = rows["train/un#no_term_0"]
    assert none["is_no_term_chunk"] and none["segment_id"] == "talks/train/un_no_term_0"
    assert none["term_chunk_text"] == "today" and none["term_chunk_audio_ground_truth_terms"] == []
    assert none["extended_start_time"] >= 3.0 and none["extended_end_time"] <= 10.0
    assert 2.5 <= none["extended_duration"] <= 4.0

    span = rows["train/span#term1"]  # the context ends where the utterance does, not where its recording does
    assert (span["extended_start_time"], span["term_start_time"], span["term_start_time_abs"]) == (0.0, 0.1, 5.1)
    assert span["extended_end_time"] == 1.6 and span["term_chunk_text"] == "geneva is far"
    cut, _ = soundfile.read(span["audio"], dtype="int16")
    assert np.array_equal(cut, noise(12, seed=9)[5 * RATE : round(6.6 * RATE)])
    assert "train/span#term2" not in rows

    counts = version.manifest["counts"]
    assert counts == {"written": 5, "no_term": 1, "no_words": 1, "audio_in_test": 1}
    assert version.manifest["certificate"]["glossary"] == {"entries": 6, "terms": 4, "never_found": {"no_term": 2}}
    assert summarise_file(version.data, "term-chunks").counts == {}


def test_further_files_are_those_that_the_trainer_reads_and_move_with_the_version(folder: Path) -> None:
    version = export(folder, aliases=folder / "aliases.json", name="files")
    rows = rows_of(version)
    assert rows["train/upper#term2"]["term_chunk_audio_ground_truth_terms"] == ["united nations"]
    read_json = lambda name: json.loads((version.path / name).read_text(encoding="utf-8"))  # noqa: E731
    assert read_json("alt2main.json") == {"un": "united nations", "uno": "oslo"}
    assert version.manifest["certificate"]["glossary"]["never_found"]["alias_of_no_term"] == 1
    assert read_json("glossary_term2idx.json") == {
        "berlin": 0,
        "geneva, switzerland": 1,
        "paris": 2,
        "united nations": 3,
    }
    assert (version.path / "term_set.txt").read_text(encoding="utf-8").split("\n")[:3] == ["berlin", "geneva", "paris"]
    chunks = read_json("term_level_chunks_train.json")
    assert len(chunks) + len(read_json("term_level_chunks_test.json")) == len(rows)
    assert {chunk["term_chunk_audio"] for chunk in chunks} <= {row["audio"] for row in rows.values()}
    assert all("is_no_term_chunk" not in chunk or not chunk["term_chunk_audio_ground_truth_terms"] for chunk in chunks)

    (folder / "glossary.json").rename(folder / "elsewhere.json")
    try:  # a version has a copy of its own
        moved = triptych.exports.relocate(version.reference, "/other", store=folder / "store")
        again = triptych.exports.rebuild(version.reference, store=folder / "store")
    finally:
        (folder / "elsewhere.json").rename(folder / "glossary.json")
    [first, *_] = json.loads((moved.path / "term_level_chunks_train.json").read_text(encoding="utf-8"))
    assert first["term_chunk_audio"].startswith("/other/media/")
    assert not again.differs and "glossary.json" in again.same


def test_tests_are_balanced_and_unseen_terms_are_in_no_training_chunk(folder: Path) -> None:
    version = export(folder, unseen_terms=0.5, name="unseen")
    unseen = version.manifest["certificate"]["unseen_terms"]
    assert len(unseen) == 1 and unseen[0] in ("paris", "berlin")
    version = export(folder, unseen_terms=1.0, test_terms=2, name="all-unseen")
    rows, certificate = rows_of(version), version.manifest["certificate"]
    assert certificate["unseen_terms"] == ["berlin", "paris"] and certificate["terms"]["test_only"] == 2
    tested = [row for row in rows.values() if row["split"] == "test" and not row["is_no_term_chunk"]]
    assert sorted(row["unseen_terms"][0] for row in tested) == ["berlin", "paris"]
    assert not any("paris" in row["term_chunk_text"] for row in rows.values() if row["split"] == "train")
    assert version.manifest["expanded"]["parts_without_row"]["unseen_term"] == 1
    assert version.manifest["expanded"]["parts_without_row"]["not_in_test"] == 1
    assert summarise_file(version.data, "term-chunks").errors == 0
    with pytest.raises(UsageError, match="validation or test splits"):
        export(folder, unseen_terms=0.5, split="train", name="none")
    asked = {"glossary": folder / "glossary.json", "store": folder / "store", "name": "few"}
    assert triptych.export("term-chunks", **asked, test_terms=1000, unseen_terms=0.2).warnings[1:3] == [
        "2 terms are tested, 1,000 were asked for: validation and test splits name no others that can be",
        "no term is unseen: 0.2 of 2 tested terms is less than one",
    ]
    with pytest.raises(ProblemsFound, match="name a term that is to be unseen"):
        _break(version, folder)


def _break(version: Any, folder: Path) -> None:
    """Certify rows of which one names an unseen term."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from triptych.converters.views import VIEWS

    table = pq.read_table(version.path / "data.parquet").to_pylist()
    for row in table:
        if row["split"] == "train":
            row["term_chunk_text"] += " in paris"
    pq.write_table(pa.Table.from_pylist(table), folder / "broken.parquet")
    certify(folder / "broken.parquet", VIEWS["term-chunks"].options_of(version.manifest, version.path))


def test_options_are_checked_and_other_views_refuse_them(folder: Path) -> None:
    with pytest.raises(UsageError, match="terms of a glossary"):
        triptych.export("term-chunks", store=folder / "store")
    with pytest.raises(UsageError, match="glossary="):
        triptych.export("unified", glossary=folder / "glossary.json", store=folder / "store")
    with pytest.raises(UsageError, match="speed="):
        export(folder, speed="0.9..1.1")
    with pytest.raises(UsageError, match="context="):
        export(folder, context=-1.0)
    (folder / "empty.txt").write_text("the\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no entry is a term"):
        export(folder, glossary=folder / "empty.txt")
    (folder / "lines.txt").write_text("paris\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no term has a short_description"):
        export(folder, glossary=folder / "lines.txt", term_field="short_description")
    (folder / "twice.json").write_text('{"paris": {"term": "a b c"}, "Paris": {"term": "d e f"}}', encoding="utf-8")
    with pytest.raises(UsageError, match="twice"):
        export(folder, glossary=folder / "twice.json")


def test_rows_of_a_trainer_as_long_as_they_can_be_are_cut_and_longer_ones_are_not(folder: Path) -> None:
    kept = {row["id"].partition("#")[2] for row in read_lines(export(folder, context=0.0, name="bare").data)}
    assert "term1" in kept
    rows = rows_of(export(folder, occurrences="first", term_field="short_description", no_term_share=0.0, name="first"))
    assert {tuple(row["term_chunk_audio_ground_truth_terms"]) for row in rows.values()} == {
        ("paris, a place",), ("berlin, a place",)
    }  # fmt: skip


UN = Utterance("un", 0.0, 10.0, [Word(w["text"], w["start_s"], w["end_s"]) for w in words(SPOKEN)])


def phrases(*terms: str) -> Phrases:
    return Phrases({phrase_of(term): term for term in terms})


def test_touching_words_are_not_in_a_chunk() -> None:
    [chunk] = chunks_of(UN, phrases("met"), context=0.0, no_term_share=0.0)
    assert (chunk.start, chunk.end, chunk.text) == (1.1, 1.4, "met")


def test_a_word_that_the_utterance_cuts_is_heard_and_named_and_makes_no_chunk() -> None:
    """Else a training chunk would hear most of an unseen term, and its text would not say so."""
    heard = words_of(words("geneva 4.2 5.3 is 5.3 5.6 far 5.9 6.2 paris 6.8 7.9 oslo 7 7.5 next 4 5.01"), 5.0, 7.0)
    assert [(word.text, word.start, word.end, word.is_whole) for word in heard] == [
        ("geneva", 5.0, 5.3, False), ("is", 5.3, 5.6, True), ("far", 5.9, 6.2, True), ("paris", 6.8, 7.0, False),
    ]  # fmt: skip
    chunks = chunks_of(
        Utterance("u", 5.0, 7.0, heard), phrases("geneva", "far", "paris"), context=1.0, no_term_share=1.0
    )
    assert [(chunk.part, chunk.text, chunk.named) for chunk in chunks] == [
        ("term1", "geneva is far paris", ["far", "geneva", "paris"])
    ]


def test_a_missing_term_makes_no_chunk() -> None:
    assert chunks_of(UN, phrases("missing term"), context=1.0, no_term_share=1.0) == []


def test_a_chunk_without_a_term_names_none_and_has_words_of_its_own() -> None:
    spoken = [Word(f"w{n}" if n % 7 else "paris", n * 0.5, n * 0.5 + 0.4) for n in range(120)]
    for key in map(str, range(20)):
        made = chunks_of(Utterance(key, 0.0, 60.0, spoken), phrases("paris"), context=0.25, no_term_share=1.0)
        none = [chunk for chunk in made if not chunk.terms]
        assert none and all(not chunk.named and "paris" not in chunk.text and chunk.text for chunk in none)
        assert made == chunks_of(Utterance(key, 0.0, 60.0, spoken), phrases("paris"), context=0.25, no_term_share=1.0)


def test_bounds_of_a_chunk_are_those_of_the_loader() -> None:
    def outcome(length: float) -> str | None:
        words = [Word("paris", 0.0, length)]
        return chunks_of(Utterance("a", 0.0, 60.0, words), phrases("paris"), context=0.0, no_term_share=0)[0].outcome

    assert [outcome(s) for s in (0.01, 0.00625, 30.0, 30.0 + 1 / RATE)] == [None, "too_short", None, "longer_than_30_s"]


def test_the_longest_phrase_is_found_as_whole_words() -> None:
    known = phrases("new york", "new york city", "york", "don't panic", "人工智能")
    assert [(m.label, m.first, m.last) for m in known.longest_in(["in", "New", "York", "City", ",", "York"])] == [
        ("new york city", 1, 3), ("york", 5, 5)
    ]  # fmt: skip
    assert {match.label for match in known.all_in(["New", "York", "City"])} == {"new york", "new york city", "york"}
    assert {match.label for match in known.all_in(["in", "new", "york"])} == {"new york", "york"}
    assert known.longest_in(["newyork", "yorks"]) == [] and known.named_in("DON\u2019T panic!") == {"don't panic"}
    assert [m.label for m in known.longest_in(["人工", "智能"])] == ["人工智能"]
    assert known.longest_in(["人工", "智能体"]) == []
    assert known.longest_in(["new", "<unk>", "york"])[0].label == "york"


def test_words_that_are_no_terms() -> None:
    given = ["ab", "abc", "123", "a123", "ab12", "1a2", "Yeahman", "this one", "thistle", "ten years",
             "light years away", 5, None, "covid19"]  # fmt: skip
    assert [term for term in given if is_term(term)] == ["abc", "ab12", "thistle", "light years away", "covid19"]
    assert not any(map(is_term, ["the", "seventeen", "Tuesday", "everybody", "1,000"]))
    assert tokens_of("it's<COMMA> U.N. <SIL>") == ("it's", "u", "n")


def test_a_list_and_lines_are_glossaries(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('["Paris", {"term": "Oslo", "short_description": "north"}]', encoding="utf-8")
    (tmp_path / "b.txt").write_text("Paris\n\nOslo\n", encoding="utf-8")
    assert read(tmp_path / "a.json", None)[0].terms == read(tmp_path / "b.txt", None)[0].terms == ["oslo", "paris"]
    assert read(tmp_path / "a.json", None, field="short_description")[0].unused == {"no_short_description": 1}
    for bad in ('{"a": 1', '"paris"', "[7]", '{"paris": {"term": 3}}'):
        (tmp_path / "c.json").write_text(bad, encoding="utf-8")
        with pytest.raises(UsageError):
            read(tmp_path / "c.json", None)


def test_sounds_that_the_loader_leaves_out(tmp_path: Path) -> None:
    def problem(samples: np.ndarray, subtype: str = "FLOAT") -> str | None:
        soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
        return sound_problem(tmp_path / "a.wav")[0]

    speech = np.random.default_rng(0).uniform(-0.5, 0.5, 30 * RATE + 1).astype(np.float32)
    assert [problem(speech[:n]) for n in (160, 100, 30 * RATE, 30 * RATE + 1)] == [None, "too_short", None, "too_long"]
    assert problem(np.full(RATE, 0.5, np.float32)) == "low_dynamic_range"
    assert problem(np.zeros(RATE, np.float32)) == "silent"
    assert problem(np.full(RATE, np.nan, np.float32)) == "not_finite"
    (tmp_path / "a.wav").write_bytes(b"no sound")
    assert sound_problem(tmp_path / "a.wav")[0] == "unreadable"


ROW = {
    "id": "a", "split": "train", "audio": "/a.wav", "term_chunk_text": "in paris now",
    "term_chunk_audio_ground_truth_terms": ["paris"], "term_start_time": 0.5, "term_end_time": 1.0,
    "extended_start_time": 0.0, "extended_end_time": 2.0, "extended_duration": 2.0, "is_no_term_chunk": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({}, []),
        ({"audio": None}, ["no_audio"]),
        ({"audio": "a.wav"}, ["relative_path"]),
        ({"term_chunk_text": " "}, ["empty_text"]),
        ({"term_chunk_audio_ground_truth_terms": []}, ["no_term"]),
        ({"term_chunk_audio_ground_truth_terms": ["ten years"]}, ["weak_term"]),
        ({"is_no_term_chunk": True}, ["term_in_no_term_chunk"]),
        ({"term_start_time": -0.5}, ["bad_times"]),
        ({"extended_duration": 1.0}, ["bad_times"]),
        ({"extended_end_time": 31.0, "extended_duration": 31.0}, ["too_long"]),
        ({"extended_start_time": None}, ["bad_times"]),
    ],
)
def test_findings_of_a_row(changed: dict[str, Any], codes: list[str]) -> None:
    assert [found.code for found in Rows(files=False).check(1, ROW | changed)] == codes


def test_findings_over_a_file() -> None:
    test = ROW | {"split": "test", "audio": "/b.wav", "unseen_terms": ["paris"]}
    named = ROW | {"audio": "/c.wav", "term_chunk_audio_ground_truth_terms": ["other term"]}
    for rows in ([ROW, test], [test, ROW], [test, named]):
        check = Rows(files=False)
        assert [each.code for n, row in enumerate(rows) for each in check.check(n, row)] == ["unseen_in_training"]
    check = Rows(files=False)
    shared = [ROW, ROW | {"split": "test"}]
    assert [each.code for n, row in enumerate(shared) for each in check.check(n, row)] == ["shared_sound"]


@pytest.mark.parametrize(
    ("unsure", "reason"),
    [
        ({"text": "berlin", "start_s": None, "end_s": None}, "untimed_word"),
        ({"text": "berlin", "start_s": 1.2, "end_s": None}, "untimed_word"),
        ({"text": "berlin", "start_s": 1.2, "end_s": 1.2}, "untimed_word"),
        ({"text": "<unk>", "start_s": 1.2, "end_s": 1.4}, "unknown_word"),
        ({"text": "[UNK]", "start_s": 1.2, "end_s": 1.4}, "unknown_word"),
        ({"text": "<unk>", "start_s": None, "end_s": None}, "untimed_word"),
        ({"text": "<sil>", "start_s": None, "end_s": None}, None),
        ({"text": "<noise>", "start_s": 1.2, "end_s": 1.4}, None),
        ({"text": "<noise>", "start_s": None, "end_s": None}, None),
        ({"text": None, "start_s": 1.2, "end_s": 1.4}, None),
    ],
)
def test_an_utterance_of_which_nobody_knows_all_words_makes_no_chunk(
    tmp_path: Path, unsure: dict[str, Any], reason: str | None
) -> None:
    items = [*words("paris .5 1"), unsure, *words("tokyo 1.5 2")]
    assert unsure_word(items, 0, 3) == reason
    assert unsure_word(items, 2.1, 3) is None and unsure_word(items, 0, 0.9) is None  # it is not heard there
    assert unsure_word([*items, *words("osaka 4 5")], 1.6, 5) is None


def test_untimed_words_are_told_and_babble_may_not_say_unseen_terms(tmp_path: Path) -> None:
    clip = str(sound(tmp_path / "a.flac", noise(3, seed=1)))
    items = [*words("paris .5 1"), {"text": "berlin", "start_s": 1.2, "end_s": 1.2}]
    rows = [{"id": "a", "audio": clip, "words": items, "text": "paris berlin", "language": "en", "split": "train"},
            {"id": "b", "audio": clip, "words": words("paris .5 1"), "text": "paris", "language": "en",
             "split": "train"}]  # fmt: skip
    store = bring_in(tmp_path / "store", "talks", rows, tmp_path)
    (tmp_path / "glossary.txt").write_text("paris\nberlin\n", encoding="utf-8")
    made = triptych.export("term-chunks", glossary=tmp_path / "glossary.txt", store=store)
    assert made.counts["untimed_word"] == 1 and all("/b" in row["id"] for row in read_lines(made.version.data))
    for source in ("babble", "talks"):
        with pytest.raises(UsageError, match="may be an unseen term"):
            triptych.export(
                "term-chunks", glossary=tmp_path / "glossary.txt", store=store, unseen_terms=0.5, noise=source
            )
