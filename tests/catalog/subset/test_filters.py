"""What a filter lets pass: listed ids, spans, labels, conditions and parts."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.selections import candidate, ids, ids_of, listed, passed
from triptych.catalog.subset.filter import BATCH_ROWS, Filter, part_of
from triptych.catalog.subset.options import Subset
from triptych.converters.candidate import Blob, Candidate, Checkpoint, Filtered, Rejection, Remote
from triptych.errors import UsageError

# ---- a list of ids


def test_listed_ids_pass_whole_or_by_the_corpus_own_id_and_the_rest_is_filtered(tmp_path: Path) -> None:
    path = listed(tmp_path, "words/test/b\na\nnobody\n")
    items = [candidate("a"), candidate("b"), candidate("b", split="test"), candidate("c"), candidate("a", split="test")]
    found = passed(items, ids=path)
    assert [(i.source_id, i.split) for i in found if isinstance(i, Candidate)] == [
        ("a", "train"), ("b", "test"), ("a", "test"),
    ]  # fmt: skip
    assert [i for i in found if isinstance(i, Filtered)] == [Filtered(), Filtered()]
    assert [(i.candidate, i.reason) for i in found if isinstance(i, Rejection)] == [("nobody", "not_found")]


def test_the_source_is_left_once_every_id_was_found(tmp_path: Path) -> None:
    def source() -> Iterable[Candidate]:
        yield from map(candidate, "abc")
        raise AssertionError("read on")

    assert ids_of(passed(source(), ids=listed(tmp_path, "a\nc\n"))) == ["a", "c"]


def test_a_listed_candidate_that_the_reader_rejects_was_found(tmp_path: Path) -> None:
    bad, other = Rejection("a", "no_transcript", ""), Rejection("z", "no_transcript", "")
    assert passed([other, bad], ids=listed(tmp_path, "a\n")) == [Filtered(), bad]
    damaged = Rejection("x.tar", "truncated", "", damaged=True)
    assert damaged in passed([damaged], ids=listed(tmp_path, "a\n"))


def test_spans_become_samples_of_their_own_with_stable_ids(tmp_path: Path) -> None:
    path = listed(tmp_path, "a,1.5,3\na,0,0.25\n")
    found = passed([candidate("a", text="x")], ids=path)
    assert [(i.source_id, i.fields["start_s"], i.fields["end_s"], i.fields["text"]) for i in found] == [
        ("a@1.5-3", 1.5, 3.0, "x"), ("a@0-0.25", 0.0, 0.25, "x"),
    ]  # fmt: skip
    assert all(i.media[0][1].data == b"sound" for i in found)


def test_a_transcript_is_cut_to_the_words_of_the_span_or_the_span_is_refused(tmp_path: Path) -> None:
    timed = [{"text": word, "start_s": n + 0.1, "end_s": n + 0.9} for n, word in enumerate(("one", "two", "three"))]
    items = [
        candidate("timed", text="one two three", words=timed, task="asr"),
        candidate("whole", text="one two three", task="asr"),
        candidate("other", text="One, two, three.", words=timed, task="asr"),
        candidate("its own", text="two", start_s=1.0, end_s=2.5, task="asr"),
        candidate("caption", text="a dog barks", task="aac"),
        candidate("translated", text="one two three", words=timed, translation="eins zwei drei", task="s2tt"),
        candidate("felt", text="one two three", task="ser"),
        candidate("phones", phones=timed, task="phoneme"),
    ]
    path = listed(tmp_path, "".join(f"{item.source_id},1,2.5\n" for item in items))
    found = passed(items, ids=path)
    texts = {item.source_id: item.fields.get("text") for item in found if isinstance(item, Candidate)}
    assert texts == {
        "timed@1-2.5": "two", "its own@1-2.5": "two", "caption@1-2.5": "a dog barks",
        "phones@1-2.5": None,
    }  # fmt: skip
    assert [phone["text"] for phone in found[-1].fields["phones"]] == ["two"]
    assert [word["text"] for word in found[0].fields["words"]] == ["two"]
    assert [(item.candidate, item.reason) for item in found if isinstance(item, Rejection)] == [
        (f"words/train/{name}@1-2.5", "transcript_of_whole") for name in ("whole", "other", "translated", "felt")
    ]


def test_spans_of_what_is_fetched_clip_by_clip_are_fetched_cut(tmp_path: Path) -> None:
    blob = Blob("v", remote=Remote("https://example.org/v", 30.0, 40.0, "youtube"))
    item = Candidate("v", "train", {"extra": {"clip_start_s": "30", "title": "x"}}, [("video", blob)])
    [found] = passed([item], ids=listed(tmp_path, "v,12.5,20\n"))
    assert found.source_id == "v@12.5-20" and "start_s" not in found.fields
    assert found.media[0][1].remote == Remote("https://example.org/v", 12.5, 20.0, "youtube")
    assert found.fields["extra"] == {"clip_start_s": "12.5", "clip_end_s": "20.0", "title": "x"}


def test_spans_of_a_spooled_clip_each_own_their_file(tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    clip.write_bytes(b"sound")
    item = Candidate("a", "train", {}, [("audio", Blob("a", path=clip, temporary=True))])
    found = passed([item], ids=listed(tmp_path, "a,0,1\na,1,2\n"))
    paths = [each.media[0][1].path for each in found]
    assert len(set(paths)) == 2
    for path in paths:
        assert path.read_bytes() == b"sound"
        path.unlink()


# ---- filters


def test_labels_take_any_of_them_whatever_their_case() -> None:
    items = [candidate("a", labels=["Dog", "Music"]), candidate("b", labels=["Cat"]), candidate("c")]
    assert ids_of(passed(items, labels="bark,dog")) == ["a"]


def test_a_label_that_nothing_has_is_told_with_the_nearest_that_is_there() -> None:
    stage = Filter(Subset.of(labels="Dgo,Cat"), "words", lambda config: {})
    list(stage.apply([candidate("a", labels=["Dog"]), candidate("b", labels=["Cat"])]))
    assert stage.unmet_labels() == ["'Dgo' (there is 'Dog')"]


def test_where_sees_fields_defaults_split_and_extra_and_null_is_no() -> None:
    items = [candidate("a", extra={"x": "3"}), candidate("b", language="zh", extra={"x": "3"}), candidate("c")]
    assert ids_of(passed(items, where="language = 'en' and extra['x']::int = 3")) == ["a"]
    assert ids_of(passed(items, where="split = 'test'")) == []
    assert ids_of(passed(items, where="id like 'words/train/%' -- all")) == ["a", "b", "c"]


def test_where_keeps_the_order_over_many_batches_with_everything_between() -> None:
    rejection = Rejection("r", "no_id", "")
    items: list[Any] = []
    for n in range(3 * BATCH_ROWS):
        items += [candidate(str(n), text=str(n)), *([rejection] if n % 100 == 0 else [])]
    items.append(Checkpoint())
    found = passed(items, where="text::int % 2 = 0")
    expected = [i if not isinstance(i, Candidate) or int(i.source_id) % 2 == 0 else Filtered() for i in items]
    assert found == expected


def test_where_holds_back_no_more_than_a_few_megabytes() -> None:
    taken = 0

    def source() -> Iterable[Candidate]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield Candidate(str(n), "train", {}, [("audio", Blob("x", data=bytes(3_000_000)))])

    stage = Filter(Subset.of(where="id is not null"), "words", lambda config: {})
    next(iter(stage.apply(source())))
    assert taken <= 3


def test_a_row_that_fits_no_schema_is_left_for_ingest_to_reject() -> None:
    items = [candidate("a", start_s="soon"), candidate("b", start_s=1.0), candidate("c", start_s=9.0)]
    assert ids_of(passed(items, where="start_s < 5")) == ["a", "b"]


def test_an_expression_that_fails_on_a_row_is_the_users_to_mend() -> None:
    with pytest.raises(UsageError, match="Could not convert"):
        passed([candidate("a", text="abc")], where="text::int > 3")


def test_what_is_filtered_leaves_no_temporary_file(tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    clip.write_bytes(b"sound")
    item = Candidate("a", "train", {"text": "x"}, [("audio", Blob("a", path=clip, temporary=True))])
    assert passed([item], where="text = 'y'") == [Filtered()]
    assert not clip.exists()


def test_what_is_held_back_when_the_stream_is_left_leaves_no_temporary_file(tmp_path: Path) -> None:
    clips = [tmp_path / str(n) for n in range(5)]
    for clip in clips:
        clip.write_bytes(b"sound")
    items = [Candidate(c.name, "train", {}, [("audio", Blob("a", path=c, temporary=True))]) for c in clips]
    [taken, _] = passed(items, where="id not like '%0'", max_tries=1)[::-1]
    assert [clip for clip in clips if clip.exists()] == [taken.media[0][1].path]


def test_tries_are_counted_among_what_passes() -> None:
    items = [candidate(str(n), text=str(n)) for n in range(10)]
    assert ids_of(passed(items, max_tries=3)) == ["0", "1", "2"]
    assert ids_of(passed(items, max_tries=3, where="text::int % 2 = 1")) == ["1", "3", "5"]


@given(st.lists(ids, unique=True, max_size=40), st.integers(1, 7))
def test_parts_are_disjoint_and_together_the_whole(names: list[str], parts: int) -> None:
    found = [ids_of(passed(map(candidate, names), part=f"{part}/{parts}")) for part in range(1, parts + 1)]
    assert sorted(name for part in found for name in part) == sorted(names)
    shuffled = random.Random(0).sample(names, len(names))
    assert sorted(ids_of(passed(map(candidate, shuffled), part=f"1/{parts}"))) == sorted(found[0])


def test_a_part_is_the_same_on_every_machine() -> None:
    # printf part:words/train/a | sha256sum: the first 64 bits, modulo 4, counted from 1
    assert part_of("words/train/a", 4) == 0x2731A421B0B56816 % 4 + 1 == 3
