"""What a selection says: options that can be, the key of a choice, and lists of ids."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.selections import listed
from triptych.catalog.pull.options import PullOptions
from triptych.catalog.subset.options import Subset
from triptych.errors import UsageError

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


def test_an_id_list_of_audioset_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "eval.csv"
    lines: Sequence[Sequence[str]] = [["--4gqARaEJE", "0.000", "10.000", "/m/068hy,/m/07q6cd_"]]
    with path.open("w", newline="") as file:
        file.write("# YTID, start_seconds, end_seconds, positive_labels\n")
        csv.writer(file).writerow(["ytid", "start_seconds", "end_seconds", "positive_labels"])
        csv.writer(file).writerows(lines)
    found = Subset.of(ids=path).ids
    assert found is not None and dict(found.spans) == {"--4gqARaEJE": ((0.0, 10.0),)}
