"""Exports of a composition: shares of what has a row, the same in any order, and an account of what is left out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import check_accounts, cli, select
from triptych.errors import ProblemsFound, UsageError

Exported = Callable[..., Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`big` of 20 talks and `small` of 6, in two languages; six of `big` have no text, so no row to train on. The other
    answer of every second one of `small` has no row."""
    folder = tmp_path_factory.mktemp("composition")
    place = folder / "store"
    for name, count, start in (("big", 20, 0), ("small", 6, 50)):
        rows = imported.speech_rows(folder / name, count, start=start, split="train", task="asr")
        for number, row in enumerate(rows):
            row |= {"speaker": f"s{number % 4}", "language": "de" if number % 5 == 0 else "en"}
            row |= {"text": None} if name == "big" and number < 6 else {}
            row |= {"question": "What?", "answer": "<think>because</think>this"} if number % 2 else {}
            row |= {"rejected": "a <video>" if number % 2 else "other"} if name == "small" else {}
        imported.bring_in(place, name, rows, folder)
    return place


@pytest.fixture(scope="module")
def export(store: Path) -> Exported:
    return lambda **options: triptych.export("msswift", task="sft", store=store, **options)


def rows_of(result: Any) -> list[dict[str, Any]]:
    return list(imported.read_lines(result.version.data))


def by_dataset(result: Any) -> Counter[str]:
    return Counter(row["id"].split("/")[0] for row in rows_of(result))


def test_samples_are_a_prefix_of_more_samples_and_all_have_rows(export: Exported, store: Path) -> None:
    few, more = export(samples=8), export(samples=12)
    ids = [row["id"] for row in rows_of(more)]
    assert [row["id"] for row in rows_of(few)] == [each for each in ids if each in {row["id"] for row in rows_of(few)}]
    assert len(rows_of(few)) == 8 and len(ids) == 12
    assert few.counts["written"] + few.counts["over_samples"] + few.counts.get("no_answer", 0) == 26
    assert len(rows_of(export(samples=100))) == 20
    check_accounts(store)


def test_a_mix_has_the_shares_of_what_there_is(export: Exported) -> None:
    assert by_dataset(export(mix="big=0.5,small=0.5")) == {"big": 6, "small": 6}
    assert by_dataset(export(mix="big=0.7,small=0.3", samples=10)) == {"big": 7, "small": 3}
    alone = export(mix="small=1", dataset=["big", "small"])
    assert by_dataset(alone) == {"small": 6} and alone.counts["not_in_mix"] == 20


def test_what_is_short_is_told_and_not_filled(export: Exported) -> None:
    result = export(mix="big=0.3,small=0.7", samples=20)
    assert by_dataset(result) == {"big": 6, "small": 6}
    assert any("small: 14 rows asked for, 6 there" in warning for warning in result.warnings)
    parts = result.version.manifest["composed"]["parts"]
    assert parts[1] == {"dataset": "small", "asked": 14, "has": 6, "taken": 6}


def test_oversampling_repeats_rows_under_ids_of_their_own(export: Exported, store: Path) -> None:
    result = export(mix="big=0.3,small=0.7", samples=20, oversample=True)
    rows = rows_of(result)
    assert by_dataset(result) == {"big": 6, "small": 14} and len({row["id"] for row in rows}) == 20
    copies = Counter(row["sample_id"] for row in rows if row["id"].startswith("small/"))
    assert sorted(copies.values()) == [2, 2, 2, 2, 3, 3]
    texts = {row["id"]: row["messages"] for row in rows}
    assert all(texts[row["id"]] == texts[row["sample_id"]] for row in rows)
    assert {row["id"].partition("#")[2] for row in rows} == {"", "2", "3"}
    assert result.version.manifest["rows"] == 20 and result.counts["written"] == 12
    assert "20 rows of 12 samples" in cli("export", "msswift", "--task", "sft", "--mix", "big=0.3,small=0.7",
                                          "--samples", "20", "--oversample", "--store", store).stdout  # fmt: skip
    check_accounts(store)


def test_a_part_of_a_sample_that_has_no_row_is_not_counted(store: Path) -> None:
    """Else fewer rows than asked for were taken, and the account said that they were all there."""
    few = triptych.export("msswift", task="kto", samples=8, store=store)
    [part] = few.version.manifest["composed"]["parts"]
    assert len(rows_of(few)) == part["taken"] in (8, 9) and not few.version.manifest["composed"]["short"]
    more = triptych.export("msswift", task="kto", mix="small=1", samples=20, oversample=True, store=store)
    [part] = more.version.manifest["composed"]["parts"]
    assert len(rows_of(more)) == part["taken"] in (20, 21) and part["has"] == 9


def test_shares_by_hours_take_until_they_are_reached(export: Exported) -> None:
    result = export(mix="big=1,small=1", mix_by="hours")
    assert by_dataset(result) == {"big": 6, "small": 6}
    assert export(hours=0.55 / 3600).counts["written"] == 6


def test_a_balance_has_equally_many_of_each_value(export: Exported, store: Path) -> None:
    result = export(balance="language", dataset="big")
    languages = {row["id"]: row["language"] for row in select(store, "SELECT id, language FROM samples")}
    assert Counter(languages[row["id"]] for row in rows_of(result)) == {"de": 2, "en": 2}
    assert result.counts["balanced_out"] >= 10
    assert by_dataset(export(balance="dataset")) == {"big": 6, "small": 6}


def test_a_limit_keeps_so_many_of_each_value(export: Exported, store: Path) -> None:
    result = export(limit={"speaker": 2})
    speakers = {row["id"]: row["s"] for row in select(store, "SELECT id, dataset || speaker AS s FROM samples")}
    assert max(Counter(speakers[row["id"]] for row in rows_of(result)).values()) == 2
    assert result.counts["over_limit"] and result.counts["written"] == 14
    unlimited = export(limit={"extra.room": 1}, samples=3)
    assert any("have no value of" in warning and "extra.room" in warning for warning in unlimited.warnings)


def test_shares_of_classes(export: Exported, store: Path) -> None:
    result = export(shares="complexity:simple=3,complex=7", samples=10)
    thinks = {row["id"]: row["a"] is not None for row in select(store, "SELECT id, answer AS a FROM samples")}
    assert Counter(thinks[row["id"]] for row in rows_of(result)) == {False: 3, True: 7}
    assert export(shares="length:short=1,long=1", bucket=0.05, samples=4).counts["written"] == 2
    with pytest.raises(ProblemsFound, match="short"):
        export(shares="length:short=1,long=1", bucket=0.05)


def test_the_choice_does_not_depend_on_the_order_of_samples(export: Exported, store: Path, tmp_path: Path) -> None:
    rows = select(store, "SELECT * FROM samples ORDER BY md5(id)")
    again = tmp_path / "store"
    for name in ("small", "big"):
        made = [
            {
                "id": row["id"].rpartition("/")[2], "audio": str(store / row["audio"]["path"]), "split": row["split"],
                **{key: row[key] for key in ("text", "task", "language", "speaker", "question", "answer")},
            }
            for row in rows if row["dataset"] == name
        ]  # fmt: skip
        imported.bring_in(again, name, made, tmp_path)
    options: dict[str, Any] = {"mix": "big=0.6,small=0.4", "limit": {"speaker": 3}, "seed": 4, "samples": 9}
    here, there = export(**options), triptych.export("msswift", task="sft", store=again, **options)
    assert here.version.manifest["content_sha256"] == there.version.manifest["content_sha256"]
    assert export(**options).reused and not export(**options | {"seed": 5}).reused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mix": "big=1,smal=1"}, "no dataset 'smal'"),
        ({"mix": "big=1,small=1", "dataset": "big"}, "small is not among"),
        ({"mix": "big"}, "not NAME=SHARE"),
        ({"oversample": True}, "add mix="),
        ({"mix_by": "hours"}, "says what shares are of"),
        ({"mix": "big=1,small=1", "mix_by": "hours", "samples": 3}, "one of hours"),
        ({"mix": "big=1,small=1", "hours": 1, "samples": 3}, "one total"),
        ({"mix": "big=1,small=1", "mix_by": "tokens", "samples": 3}, "as much as the shares allow"),
        ({"mix": "big=1,small=1", "mix_by": "tokens"}, "needs a model"),
        ({"balance": "nothing"}, "no such field"),
        ({"balance": "dataset", "mix": "big=1,small=1"}, "choose one"),
        ({"limit": {"speaker": "many"}}, "expected a whole number"),
        ({"shares": "complexity"}, "expected FIELD:CLASS"),
        ({"shares": "complexity:hard=1,simple=1"}, "simple or complex"),
        ({"samples": 0}, "at least 1"),
    ],
)
def test_a_contradiction_is_refused(export: Exported, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        export(**options)
    assert message in f"{raised.value} {raised.value.hint}".replace("--mix", "mix=")


def test_shares_by_tokens_need_rows_that_have_tokens(
    export: Exported, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"mix": "big=1,small=1", "mix_by": "tokens", "model": "qwen2-audio"}
    with pytest.raises(UsageError, match="mix_by='tokens' asks for; the view 'unified' has none"):
        triptych.export("unified", store=store, **asked)
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(UsageError, match="the tokens of no row are known"):
        export(**asked, seed=7)  # not published before


def test_a_composition_is_made_again_byte_for_byte(export: Exported, store: Path) -> None:
    version = export(
        mix="big=0.5,small=0.5",
        shares="complexity:simple=1,complex=1",
        limit={"speaker": 2},
        oversample=True,
        samples=9,
    ).version
    (version.path / "data.jsonl").unlink()
    again = triptych.exports.rebuild(version.reference, store=store)
    assert "data.jsonl" in again.restored and not again.differs


def test_shares_by_tokens_are_those_of_the_rows(export: Exported) -> None:
    pytest.importorskip("tiktoken")
    result = export(mix="big=1,small=1", mix_by="tokens", model="qwen2-audio")
    big, small = result.version.manifest["composed"]["parts"]
    assert by_dataset(result)["small"] == 6 and small["taken"] == small["has"] == small["asked"]
    assert big["asked"] == small["asked"] <= big["taken"] < big["asked"] + 200
    assert result.version.manifest["budget"]["tokens"] == big["taken"] + small["taken"]
