"""Choosing samples, without a store: what a selection says, what a filter passes, what a draw takes."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from triptych.catalog.pull.options import PullOptions
from triptych.catalog.subset.filter import BATCH_ROWS, Filter, part_of
from triptych.catalog.subset.options import Subset
from triptych.catalog.subset.sample import Draw, KeySet, Listing, hash_key
from triptych.converters.candidate import Blob, Candidate, Checkpoint, Filtered, Rejection, Remote
from triptych.errors import UsageError

Row = tuple[str, str | None, str | None]  # id, speaker, language
ids = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=12)
rows = st.lists(
    st.tuples(ids, st.sampled_from([None, "s1", "s2", "s3", "s4"]), st.sampled_from(["en", "zh", None])),
    max_size=60, unique_by=lambda row: row[0],
)  # fmt: skip
DRAWS: list[dict[str, Any]] = [
    {"by": "hash"},
    {"balance": "speaker"},
    {"balance": "language,speaker"},
    {"speakers": 2},
    {"speakers": 2, "by": "hash"},
    {"speakers": 3, "balance": "language"},
]


def draw_of(rows: Iterable[Row], **options: Any) -> Draw:
    listing = Listing(Subset.of(**options))
    for identity, speaker, language in rows:
        listing.add(identity, {"speaker": speaker, "language": language})
    return listing.draw()


def names(draw: Draw, rows: Iterable[Row], samples: int | None, *, seed: int = 0) -> set[str]:
    wanted = KeySet(draw.wanted(samples))
    return {identity for identity, _, _ in rows if hash_key(seed, identity) in wanted}


def candidate(name: str, *, split: str = "train", **fields: Any) -> Candidate:
    return Candidate(name, split, fields, [("audio", Blob(name, data=b"sound"))])


def passed(items: Iterable[Any], **options: Any) -> list[Any]:
    stage = Filter(Subset.of(**options), "words", lambda config: {"language": "en"})
    return list(stage.apply(items))


def ids_of(items: Iterable[Any]) -> list[str]:
    return [item.source_id for item in items if isinstance(item, Candidate)]


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "wanted.txt"
    path.write_text(text, encoding="utf-8")
    return path


# ---- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"part": "0/2"}, "I/N"),
        ({"part": "3/2"}, "I/N"),
        ({"part": "half"}, "I/N"),
        ({"by": "chance"}, "source or hash, not 'chance'"),
        ({"by": "hash"}, "--samples N or --hours H"),
        ({"balance": "speaker"}, "--samples N or --hours H"),
        ({"balance": "duration", "samples": 3}, "extra.NAME"),
        ({"by": "hash", "balance": "speaker", "samples": 3}, "different draws"),
        ({"hours": -1.0}, "above 0"),
        ({"hours": float("nan")}, "above 0"),
        ({"max_tries": 0}, "above 0"),
        ({"labels": "Dog,,Bark"}, "empty"),
        ({"where": "audio.duration > 3"}, "known before media is read"),
        ({"where": "nobody = 'x'"}, "known before media is read"),
        ({"where": "(select 1) = 1"}, "without subqueries or table functions"),
        ({"where": "id = 'a'; drop table x"}, "not one expression"),
        ({"where": "random() < 0.5"}, "is not deterministic"),
    ],
)
def test_options_that_cannot_be_are_refused_with_what_to_type(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        PullOptions.of(**options)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_no_option_is_no_selection() -> None:
    nothing = PullOptions.of(samples=10).subset
    assert nothing == Subset() and nothing.key() == ""
    assert not nothing.is_filter and not nothing.is_draw


def test_a_key_is_equal_for_equal_choices_and_for_nothing_else(tmp_path: Path) -> None:
    a, b = tmp_path / "a.txt", tmp_path / "b.csv"
    a.write_text("x\ny\n")
    b.write_text("id\ny\nx\n")
    assert Subset.of(ids=a).key() == Subset.of(ids=b).key()
    assert Subset.of(labels="Dog,Bark").key() == Subset.of(labels=["bark", "dog"]).key()
    assert Subset.of(by="hash").key() == Subset.of(by="hash", hours=2).key()
    keys = [
        Subset.of(**options).key()
        for options in (
            {}, {"ids": a}, {"labels": "x"}, {"where": "id = 'x'"}, {"part": "1/2"}, {"part": "2/2"}, {"by": "hash"},
            {"by": "hash", "seed": 1}, {"balance": "speaker"}, {"balance": "language"}, {"speakers": 2},
            {"speakers": 3},
        )
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_a_label_with_a_comma_is_written_in_quotes() -> None:
    found = Subset.of(labels=['Dog, "Child speech, kid speaking"', "Bark"]).labels
    assert found == ("Dog", "Child speech, kid speaking", "Bark")


# ---- a list of ids


def test_ids_one_a_line_with_comments_and_the_corpus_ids_as_they_are(tmp_path: Path) -> None:
    found = Subset.of(ids=listed(tmp_path, "\ufeff# chosen by hand\na\n\n-b c\nd,e\n")).ids
    assert found is not None and not found.has_spans
    assert dict(found.spans) == {"a": (None,), "-b c": (None,), "d,e": (None,)}


@pytest.mark.parametrize(
    "text",
    ["a,1.5,3\na,4,5\nb,0,2\n", "id\tstart\tend\na\t1.5\t3\na\t4\t5\nb\t0\t2\n",
     "start,end,label,id\n1.5,3,Dog,a\n4,5,Dog,a\n0,2,Cat,b\n"],
    ids=["csv", "tsv with a header", "columns in any order"],
)  # fmt: skip
def test_ids_with_spans(tmp_path: Path, text: str) -> None:
    found = Subset.of(ids=listed(tmp_path, text)).ids
    assert found is not None and found.has_spans
    assert dict(found.spans) == {"a": ((1.5, 3.0), (4.0, 5.0)), "b": ((0.0, 2.0),)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no id"),
        ("a,1,x\n", ":1: start and end must be seconds"),
        ("a\nb,3,2\n", ":2: a span needs"),
        ("a,1,inf\n", ":1: a span needs"),
        ("a\t1\n", ":1: expected an id"),
        ("id,start,end\na,1\n", ":2: 2 values"),
    ],
)
def test_a_list_that_cannot_be_read_says_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Subset.of(ids=listed(tmp_path, text))


def test_a_list_that_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="No such file"):
        Subset.of(ids="/nowhere/ids.txt")


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
    ]
    path = listed(tmp_path, "".join(f"{item.source_id},1,2.5\n" for item in items))
    found = passed(items, ids=path)
    assert {item.source_id: item.fields["text"] for item in found if isinstance(item, Candidate)} == {
        "timed@1-2.5": "two", "its own@1-2.5": "two", "caption@1-2.5": "a dog barks",
    }  # fmt: skip
    assert [word["text"] for word in found[0].fields["words"]] == ["two"]
    assert [(item.candidate, item.reason) for item in found if isinstance(item, Rejection)] == [
        (f"words/train/{name}@1-2.5", "transcript_of_whole") for name in ("whole", "other", "translated")
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


# ---- draws


def test_a_draw_by_hash_takes_the_smallest_sums_of_seed_and_id() -> None:
    # printf 0:a | sha256sum, and so on: f 49f44721, d 7d98c2ee, a 9df3c5fa, c be086d93, b e02192fd, e e0782eae
    rows: list[Row] = [(name, None, None) for name in "abcdef"]
    draw = draw_of(rows, by="hash")
    assert [names(draw, rows, n) for n in (1, 3, 5)] == [{"f"}, {"f", "d", "a"}, {"f", "d", "a", "c", "b"}]


@pytest.mark.parametrize("options", DRAWS, ids=str)
@given(rows=rows, small=st.integers(0, 30), more=st.integers(0, 30), seed=st.integers(0, 3), shuffle=st.randoms())
def test_a_draw_hangs_on_no_order_and_grows(
    options: dict[str, Any], rows: list[Row], small: int, more: int, seed: int, shuffle: random.Random
) -> None:
    if "speakers" in options and not any(speaker for _, speaker, _ in rows):
        rows = [*rows, ("one more", "s1", None)]
    first = draw_of(rows, seed=seed, **options)
    chosen = names(first, rows, small, seed=seed)
    larger = names(first, rows, small + more, seed=seed)
    assert chosen <= larger
    assert len(chosen) == min(small, len(first))
    shuffled = list(rows)
    shuffle.shuffle(shuffled)
    assert names(draw_of(shuffled, seed=seed, **options), rows, small, seed=seed) == chosen


@given(rows=rows, samples=st.integers(1, 40))
def test_strata_take_turns(rows: list[Row], samples: int) -> None:
    chosen = names(draw_of(rows, balance="language,speaker"), rows, samples)
    there = Counter((speaker, language) for _, speaker, language in rows)
    taken = Counter((speaker, language) for identity, speaker, language in rows if identity in chosen)
    most = max(taken.values(), default=0)
    for stratum, count in there.items():
        assert taken[stratum] >= min(count, most - 1)


@given(rows=rows, samples=st.integers(0, 40), options=st.sampled_from(DRAWS), data=st.data())
def test_bad_candidates_are_replaced_until_the_number_is_reached_in_any_order_of_failing(
    rows: list[Row], samples: int, options: dict[str, Any], data: st.DataObject
) -> None:
    rows = [*rows, ("one more", "s1", None)] if all(identity != "one more" for identity, _, _ in rows) else rows
    bad = {identity for identity, _, _ in rows if data.draw(st.booleans())}
    keys = {hash_key(0, identity): identity for identity, _, _ in rows}
    reference: set[str] | None = None
    for warned in (False, True):
        draw = draw_of(rows, **options)
        if warned:  # all that is bad is known before: the draw must be the same
            for identity in bad:
                draw.failed(hash_key(0, identity))
        while len(untried := draw.untried(samples)):
            for key in map(int, untried):
                (draw.failed if keys[key] in bad else draw.stored)(key)
        found = names(draw, rows, samples)
        good = {keys[key] for key in keys if key in draw} - bad
        assert len(found) == min(samples, len(good)) == draw.held(samples)
        assert found <= good
        reference = found if reference is None else reference
        assert found == reference


@given(rows=rows, hours=st.tuples(st.floats(0, 0.05), st.floats(0, 0.05)), options=st.sampled_from(DRAWS[:3]))
def test_a_draw_of_hours_is_the_shortest_that_is_long_enough_and_grows(
    rows: list[Row], hours: tuple[float, float], options: dict[str, Any]
) -> None:
    lengths = {identity: 1.0 + len(identity.encode()) for identity, _, _ in rows}
    draw = draw_of(rows, **options)
    for identity, seconds in lengths.items():
        draw.measured(hash_key(0, identity), seconds)
    counts = []
    for seconds in sorted(hour * 3600 for hour in hours):
        count = draw.samples_for(seconds)
        total = sum(lengths[name] for name in names(draw, rows, count))
        assert total >= seconds or count == len(rows)
        assert count == 0 or sum(lengths[name] for name in names(draw, rows, count - 1)) < seconds
        counts.append(names(draw, rows, count))
    assert counts[0] <= counts[1]


def test_speakers_are_chosen_whole_and_a_draw_of_them_is_even() -> None:
    rows: list[Row] = [(f"{speaker}-{n}", speaker, "en") for speaker in ("a", "b", "c", "d") for n in range(20)]
    everything = names(draw_of(rows, speakers=2), rows, None)
    speakers = {name[0] for name in everything}
    assert len(speakers) == 2 and len(everything) == 40
    assert speakers < {name[0] for name in names(draw_of(rows, speakers=3), rows, None)}
    assert sorted(Counter(name[0] for name in names(draw_of(rows, speakers=2), rows, 10)).values()) == [5, 5]


def test_speakers_cannot_be_chosen_where_nobody_says_who_speaks() -> None:
    with pytest.raises(UsageError, match="no speaker labels"):
        draw_of([("a", None, "en")], speakers=2)


def test_no_more_are_tried_than_was_allowed_and_the_best_ranks_first() -> None:
    rows: list[Row] = [(str(n), None, None) for n in range(50)]
    draw = draw_of(rows, by="hash")
    assert list(draw.untried(20, tries=5)) == list(draw.wanted(5))
    for key in map(int, draw.untried(20, tries=5)):
        draw.failed(key)
    assert len(draw.untried(20, tries=5)) == 0 and len(draw.untried(20, tries=7)) == 2


def test_ids_that_stand_twice_are_drawn_once() -> None:
    rows: list[Row] = [("a", "s1", None), ("a", "s2", None), ("b", "s2", None)]
    for order in (rows, rows[::-1]):
        draw = draw_of(order, balance="speaker")
        assert len(draw) == 2 and len(draw.wanted(5)) == 2


def test_a_listing_holds_a_million_rows_in_few_bytes() -> None:
    listing = Listing(Subset.of(balance="language,speaker"))
    for n in range(20_000):
        listing.add(f"dataset/train/a-rather-long-identifier-{n:012d}", {"speaker": str(n % 50), "language": "en"})
    held = sum(buffer.itemsize * len(buffer) for buffer in (listing._keys, listing._strata, listing._speakers))
    assert held <= 16 * 20_000
    assert len(listing.draw().wanted(1_000)) == 1_000


def test_an_id_list_of_audioset_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "eval.csv"
    lines: Sequence[Sequence[str]] = [["--4gqARaEJE", "0.000", "10.000", "/m/068hy,/m/07q6cd_"]]
    with path.open("w", newline="") as file:
        file.write("# YTID, start_seconds, end_seconds, positive_labels\n")
        csv.writer(file).writerow(["ytid", "start_seconds", "end_seconds", "positive_labels"])
        csv.writer(file).writerows(lines)
    found = Subset.of(ids=path).ids
    assert found is not None and dict(found.spans) == {"--4gqARaEJE": ((0.0, 10.0),)}
