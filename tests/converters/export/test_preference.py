"""The view `preference`: pairs with a dimension, a total divided by quotas, and what an export says of its pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound
from triptych.converters.pairs.quota import SHARES, divide, read_quota
from triptych.errors import UsageError
from triptych.validators.formats import validate_file

WELL = {
    "id": "a", "dimension": "safety", "prompt": [{"role": "user", "content": "<audio>Q"}], "audios": ["/a.wav"],
    "chosen": [{"role": "assistant", "content": "x"}], "rejected": [{"role": "assistant", "content": "y"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preference")
    clip = str(sound(folder / "clip.flac", noise(0.1)))
    named = {"factuality": 5, "Instruction following": 4, "safety": 1, "helpfulness": 3}
    pairs = [
        {"id": f"{name[:4].lower().strip()}{n}", "dimension": name, "rejected": "No."}
        for name, count in named.items()
        for n in range(count)
    ]
    pairs += [{"id": "mute", "rejected": "No."}, {"id": "style", "dimension": "style", "rejected": "No."},
              {"id": "tagged", "labels": ["safety", "dog"], "rejected": "No."},
              {"id": "torn", "labels": ["safety", "factuality"], "rejected": "No."},
              {"id": "equal", "dimension": "safety", "rejected": " A  long answer."},
              {"id": "alone", "dimension": "safety"}]  # fmt: skip
    shared = {"question": "Which?", "answer": "A long answer.", "task": "qa", "audio": clip, "language": "en"}
    return bring_in(folder / "store", "pairs", [shared | pair for pair in pairs], folder)


def exported(store: Path, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    result = triptych.export("preference", store=store, **options)
    assert [each for each in validate_file(result.version.data, "preference") if each.severity == "error"] == []
    return result, list(read_lines(result.version.data))


def test_a_row_has_both_answers_the_shared_prompt_and_its_dimension(store: Path) -> None:
    result, rows = exported(store)
    row = next(row for row in rows if row["id"] == "pairs/all/inst0")
    assert row["prompt"] == [{"role": "user", "content": "<audio>Which?"}] and row["dimension"] == "instruction"
    assert row["chosen"] == [{"role": "assistant", "content": "A long answer."}]
    assert row["rejected"] == [{"role": "assistant", "content": "No."}] and len(row["audios"]) == 1
    manifest = result.version.manifest
    assert manifest["counts"] == {"written": 14, "no_dimension": 3, "same_answers": 1, "no_rejected": 1}
    assert manifest["pairs"] == {
        "dimensions": {"factuality": 5, "instruction": 4, "safety": 2, "helpfulness": 3},
        "chosen_longer": 14, "chosen_shorter": 0,
    }  # fmt: skip
    told = "\n".join(result.warnings)
    assert "all 14 pairs: factuality 36 %" in told and "the chosen answer is the longer one in 100 % of pairs" in told
    assert "dimension" not in result.left_out


def test_pairs_that_state_nothing_have_the_dimension_of_the_request(store: Path) -> None:
    result, rows = exported(store, dimension="helpfulness")
    assert {row["id"]: row["dimension"] for row in rows}["pairs/all/mute"] == "helpfulness"
    assert result.version.manifest["counts"]["no_dimension"] == 2, "what is stated and unknown, and two at once"


def test_a_total_is_divided_and_a_shortage_is_told_and_not_filled(store: Path) -> None:
    result, _ = exported(store, pairs=10)
    assert result.version.manifest["pairs"]["dimensions"] == {
        "factuality": 4, "instruction": 3, "safety": 2, "helpfulness": 1,
    }  # fmt: skip
    assert result.version.manifest["counts"]["over_quota"] == 4
    result, _ = exported(store, pairs=6, quota="safety=50,helpfulness=50")
    assert result.version.manifest["pairs"]["dimensions"] == {"safety": 2, "helpfulness": 3}
    assert "2 pairs for safety, 3 were asked for: the others do not fill its place" in result.warnings
    small = {row["id"] for row in exported(store, pairs=7)[1]}
    assert small < {row["id"] for row in exported(store, pairs=10)[1]}, "a larger total adds rows"


def test_shares_by_largest_remainder() -> None:
    assert [list(divide(total, SHARES).values()) for total in (10, 7, 1)] == [[4, 3, 2, 1], [3, 2, 1, 1], [1, 0, 0, 0]]
    assert list(divide(2, read_quota("safety=1,instruction=1,factuality=1")).values()) == [1, 1, 0, 0]
    assert list(divide(3, read_quota("factuality=0.5, safety=2.5")).values()) == [1, 0, 2, 0]


@pytest.mark.parametrize(
    ("quota", "said"),
    [("facts=40", "no dimension"), ("safety=1,safety=2", "twice"), ("safety=0", "every share is 0"),
     ("safety=-1", "number from 0"), ("safety", "number from 0"), ("safety=nan", "number from 0")],
)  # fmt: skip
def test_quotas_that_cannot_be_read(quota: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        triptych.export("preference", pairs=1, quota=quota)


def test_a_quota_needs_a_total_and_its_view(store: Path) -> None:
    with pytest.raises(UsageError, match="quota= divides a number of pairs"):
        triptych.export("preference", quota="safety=1", store=store)
    with pytest.raises(UsageError, match="has no option"):
        triptych.export("msswift", task="dpo", pairs=3, store=store)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"dimension": "style"}, "unknown_dimension"),
        ({"rejected": [{"role": "assistant", "content": " x\n"}]}, "same_answers"),
        ({"rejected": [{"role": "assistant", "content": " "}]}, "empty_answer"),
        ({"rejected": "y"}, "not_messages"),
        ({"rejected": [{"role": "user", "content": "y"}]}, "not_one_answer"),
        ({"chosen": WELL["chosen"] * 2}, "not_one_answer"),
        ({"prompt": [*WELL["prompt"], *WELL["chosen"]]}, "prompt_end"),
        ({"prompt": [{"role": "teacher", "content": "<audio>Q"}]}, "unknown_role"),
        ({"audios": ["/a.wav", "/b.wav"]}, "tag_mismatch"),
        ({"audios": "/a.wav"}, "media_type"),
        ({"audios": ["a.wav"]}, "relative_path"),
        ({"chosen": [{"role": "assistant", "content": "<audio>"}]}, "tag_in_answer"),
        ({"chosen": [{"role": "assistant", "content": "a<|im_end|>"}]}, "model_token"),
    ],
)  # fmt: skip
def test_what_a_row_must_not_have(change: dict[str, Any], code: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(WELL) + "\n" + json.dumps(WELL | change | {"id": "b"}) + "\n")
    found = [(each.row, each.code) for each in validate_file(path, "preference", files=False)]
    assert {row for row, _ in found} == {2} and code in {code for _, code in found}
