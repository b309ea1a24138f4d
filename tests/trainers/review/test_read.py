"""Reading reviews: shares and intervals, the agreement of two reviewers, annotations of the store."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import triptych
from support.stores import cli, one, select
from triptych.trainers.review.agreement import kappa, wilson

from .conftest import Answered, data_of, review


@pytest.fixture(scope="module")
def page(answered: Answered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "review.html"
    answered.make(path, by="source")
    return path


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0000), (0, 0, 0.0, 1.0),
    ],
)  # fmt: skip
def test_intervals_are_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_kappa_is_cohens() -> None:
    table = {("right", "right"): 20, ("right", "wrong"): 5, ("wrong", "right"): 10, ("wrong", "wrong"): 15}
    assert kappa([pair for pair, count in table.items() for _ in range(count)]) == pytest.approx(0.4)
    assert kappa([("right", "right")] * 5) is None and kappa([]) is None
    assert kappa([("right", "wrong"), ("wrong", "right")]) == -1.0


def test_shares_agreement_and_annotations_of_two_reviewers(answered: Answered, page: Path, tmp_path: Path) -> None:
    ids = [row["id"] for row in data_of(page)["rows"]]
    ann = review(tmp_path / "ann.csv", page, "Ann", dict.fromkeys(ids[:6], "right") | {ids[6]: "wrong"})
    said = {ids[0]: ("partly", "=half", "2026-11-28T11:00:00.000Z")} | dict.fromkeys(ids[1:5], "right")
    ben = review(tmp_path / "ben.csv", page, "Ben", said)
    assert "'=half" not in ben.read_text() and ben.write_text(ben.read_text().replace("=half", "'=half"))
    found = triptych.review_read([ann, ben], page=page, store=answered.store)
    first, second = found.reviewers
    assert [(each.verdict, each.count, each.of) for each in first.shares] == [
        ("right", 6, 7),
        ("partly", 0, 7),
        ("wrong", 1, 7),
    ]
    assert sum(each[0].of for each in first.strata.values()) == 7 and set(first.strata) == {
        "speech_test",
        "speech_train",
    }
    assert list(first.unjudged) == ids[7:] and len(second.unjudged) == 4
    [agreement] = found.agreements
    assert (agreement.rows, agreement.agreed) == (5, 4)
    [apart] = agreement.disagreements
    assert (
        apart.id == ids[0] and apart.verdicts == {"Ann": "right", "Ben": "partly"} and apart.notes == {"Ben": "=half"}
    )
    assert found.written is not None and (found.written.annotations, found.written.unchanged) == (7 + 5 + 1, 0)
    rows = select(answered.store, "select key, producer from annotations where key like 'review%:tiny'")
    assert {row["producer"] for row in rows} == {"user:Ann", "user:Ben"}
    assert {row["key"] for row in rows} == {"review:tiny", "review_note:tiny"}
    seen = one(answered.store, f"select extra['review:tiny'] v from samples where id = '{ids[6]}'")
    assert seen == "wrong"


def test_a_second_reading_writes_nothing_whoever_came_later(answered: Answered, page: Path, tmp_path: Path) -> None:
    ids = [row["id"] for row in data_of(page)["rows"]]
    files = [review(tmp_path / f"{name}.csv", page, name, {ids[0]: verdict})
             for name, verdict in (("Cleo", "right"), ("Dan", "wrong"))]  # fmt: skip
    for number in (2, 0, 0):
        found = triptych.review_read(files, store=answered.store, key="second review")
        assert found.written is not None and found.written.annotations == number
    before = one(answered.store, "select count(*) n from annotations")
    review(files[0], page, "Cleo", {ids[0]: "partly"})
    found = triptych.review_read(files[0], store=answered.store, key="second review")
    assert found.written is not None and found.written.annotations == 1
    assert one(answered.store, "select count(*) n from annotations") == before + 1


def test_the_command_prints_shares_and_exits_1_for_samples_that_the_store_lacks(page: Path, tmp_path: Path) -> None:
    ids = [row["id"] for row in data_of(page)["rows"]]
    ann = review(tmp_path / "a.csv", page, "Ann", dict.fromkeys(ids, "right"))
    ben = review(tmp_path / "b.csv", page, "Ben", dict.fromkeys(ids, "wrong"))
    done = cli("review", "read", ann, ben, "--no-annotate")
    assert done.returncode == 0 and "100.0% (70.1% to 100.0%), 9" in done.stdout, done.stderr
    assert "Ann and Ben: agree on 0 of 9 rows" in done.stdout and "kappa 0.000" in done.stdout
    lacking = cli("review", "read", ann, "--store", tmp_path / "none")
    assert lacking.returncode == 2 and "--no-annotate" in lacking.stderr
    assert cli("store", "init", "--store", tmp_path / "empty").returncode == 0
    done = cli("review", "read", ann, "--store", tmp_path / "empty")
    assert done.returncode == 1 and "9 rows are of no sample of the store" in done.stdout


def test_the_later_of_two_files_counts_and_what_is_odd_is_told(page: Path, tmp_path: Path) -> None:
    ids = [row["id"] for row in data_of(page)["rows"]]
    late = review(tmp_path / "late.csv", page, "Ann", {ids[0]: ("wrong", "", "2026-11-28T12:00:00Z")}, keep=ids[:3])
    early = review(tmp_path / "early.csv", page, "Ann", {ids[0]: "right", ids[1]: "right"}, keep=ids[:4])
    early.write_text(early.read_text() + early.read_text().splitlines(keepends=True)[1])
    found = triptych.review_read([late, early], page=page, annotate=False)
    [ann] = found.reviewers
    assert [each.count for each in ann.shares] == [1, 0, 1] and found.written is None
    assert any("the later one counts: wrong" in each for each in found.notices)
    assert any("stands twice in the file" in each for each in found.notices)
    assert any("5 rows of the page are not in the file" in each for each in found.notices)


def test_a_file_that_a_spreadsheet_saved_again_is_read(page: Path, tmp_path: Path) -> None:
    ids = [row["id"] for row in data_of(page)["rows"]]
    file = review(tmp_path / "a.csv", page, "Ann", {ids[0]: ("Right", "two\nlines; and more", "")})
    text = file.read_text(encoding="utf-8-sig").replace('","', ";").replace("Right", "RIGHT")
    text = "\n".join(line.removeprefix('"').removesuffix('"') for line in text.splitlines())
    file.write_text(text.replace("two\nlines; and more", '"two\nlines; and more"'))
    [ann] = triptych.review_read(file, annotate=False).reviewers
    assert ann.judged == 1 and ann.rows == 9
    with file.open(newline="") as saved:
        moved = [row[::-1] for row in csv.reader(saved, delimiter=";")]
    with file.open("w", encoding="utf-16", newline="") as saved:
        csv.writer(saved, delimiter="\t").writerows(moved)
    assert triptych.review_read(file, annotate=False).reviewers == [ann]
    file.write_text(text.replace("lines", "größer"), encoding="cp1252")
    with pytest.raises(triptych.UsageError, match="it is not UTF-8") as caught:
        triptych.review_read(file, annotate=False)
    assert caught.value.hint == "save it from the spreadsheet as `CSV UTF-8`"


@pytest.mark.parametrize("time", ["28.11.2026 10:00", "", "2026-11-28 12:00:00"])
def test_of_two_verdicts_whose_times_say_nothing_none_is_taken(time: str, page: Path, tmp_path: Path) -> None:
    first = data_of(page)["rows"][0]["id"]
    files = [
        review(tmp_path / "a.csv", page, "Ann", {first: ("right", "", "2026-11-28T12:00:00.000Z")}),
        review(tmp_path / "b.csv", page, "Ann", {first: ("wrong", "", time)}),
    ]
    with pytest.raises(triptych.UsageError, match="does not say which is later"):
        triptych.review_read(files, annotate=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("right", "good"), "column verdict: expected right, partly, wrong or nothing, got 'good'"),
        (("verdict", "said"), "no column verdict"),
        (("Ann", ""), "page, id and reviewer are required"),
        (("speech/", "other/"), "is no row of"),
        (('"right"', '"right'), "expected|unexpected"),
        (('"page"', '"page" "x"'), "a.csv:1: "),
    ],
)
def test_what_is_no_review_is_refused_with_its_line(
    change: tuple[str, str], message: str, page: Path, tmp_path: Path
) -> None:
    ids = [row["id"] for row in data_of(page)["rows"]]
    file = review(tmp_path / "a.csv", page, "Ann", {ids[1]: "right"})
    file.write_text(file.read_text().replace(*change, 1 if change[0] == '"right"' else -1))
    with pytest.raises(triptych.UsageError, match=message):
        triptych.review_read(file, page=page, annotate=False)


def test_files_of_two_pages_are_not_mixed(answered: Answered, page: Path, tmp_path: Path) -> None:
    other = answered.make(tmp_path / "other.html", samples=3).path
    files = [review(tmp_path / f"{each.stem}.csv", each, "Ann", {}) for each in (page, other)]
    with pytest.raises(triptych.UsageError, match="which shows other texts"):
        triptych.review_read(files, annotate=False)
    with pytest.raises(triptych.UsageError, match="it is no page of"):
        triptych.review_read(files[0], page=files[1], annotate=False)


def test_a_part_of_a_sample_has_a_key_of_its_own(answered: Answered, tmp_path: Path) -> None:
    sample = answered.ids[0]
    pred = tmp_path / "p.jsonl"
    pred.write_text("".join(f'{{"id": "{sample}#{part}", "prediction": "x"}}\n' for part in ("0", "1")))
    made = triptych.review_make(pred=pred, out=tmp_path / "r.html")
    file = review(tmp_path / "a.csv", made.path, "Eve", {f"{sample}#0": "right", f"{sample}#1": "wrong"})
    triptych.review_read(file, store=answered.store)
    rows = select(answered.store, "select id, key, value from annotations where producer = 'user:Eve' order by key")
    assert [(row["id"], row["key"], row["value"]) for row in rows] == [
        (sample, "review#0", "right"), (sample, "review#1", "wrong"),
    ]  # fmt: skip
