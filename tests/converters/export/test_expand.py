"""Several rows of one sample: their ids, the account, what else knows of them, and the further files of a view."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound
from support.stores import check_accounts, cli, cli_json, select
from support.view_rows import rows_of, sample
from triptych.converters import views
from triptych.converters.views import ViewOptions
from triptych.errors import DamagedError, UsageError

CAPTIONS = {
    "rain": ["Rain falls.", "It rains on a roof.", "Rain falls."],
    "dog": ["A dog barks."],
    "hush": [],
}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    rows = [
        {"id": name, "audio": str(sound(folder / f"{name}.flac", noise(0.1, seed=n))), "captions": captions,
         "task": "aac", "language": "en"}
        for n, (name, captions) in enumerate(CAPTIONS.items())
    ]  # fmt: skip
    return bring_in(folder / "store", "sounds", rows, folder)


def answers(version: Any) -> dict[str, str]:
    return {row["id"]: row["messages"][-1]["content"] for row in read_lines(version.data)}


def test_all_captions_are_rows_of_their_own(described: Path) -> None:
    result = triptych.export("msswift", task="sft", captions="all", name="every", store=described)
    assert answers(result.version) == {
        "sounds/all/rain": "Rain falls.",
        "sounds/all/rain#caption2": "It rains on a roof.",
        "sounds/all/dog": "A dog barks.",
    }
    by_id = {row["id"]: row["sample_id"] for row in read_lines(result.version.data)}
    assert by_id["sounds/all/rain#caption2"] == "sounds/all/rain"
    manifest = result.version.manifest
    assert manifest["rows"] == 3 and manifest["counts"] == {"no_answer": 1, "written": 2}
    assert manifest["expanded"] == {"samples": 2, "rows": 3, "parts_without_row": {"no_answer": 1}}
    check_accounts(described)
    [event] = select(described, "SELECT candidate, reason FROM events WHERE stage = 'export' AND uri LIKE '%every%'"
                                " OR stage = 'export' AND detail LIKE '%every%'")  # fmt: skip
    assert event == {"candidate": "sounds/all/hush", "reason": "no_answer"}


def test_the_first_caption_is_the_default_and_has_no_further_column(described: Path) -> None:
    result = triptych.export("msswift", task="sft", store=described)
    assert answers(result.version) == {"sounds/all/rain": "Rain falls.", "sounds/all/dog": "A dog barks."}
    assert all("sample_id" not in row for row in read_lines(result.version.data))
    assert "expanded" not in result.version.manifest
    assert result.left_out["captions"] == 1  # of the row that has several


def test_each_caption_is_asked_for_in_several_ways(described: Path) -> None:
    result = triptych.export(
        "msswift", task="sft", captions="all", prompts_per_sample=2, prompt_language="de", name="asked", store=described
    )
    rows = {row["id"].removeprefix("sounds/all/"): row for row in read_lines(result.version.data)}
    assert set(rows) == {"rain", "rain#prompt2", "rain#caption2", "rain#caption2#prompt2", "dog", "dog#prompt2"}
    for identity in ("rain", "rain#caption2", "dog"):
        one, other = rows[identity], rows[f"{identity}#prompt2"]
        assert one["messages"][-1] == other["messages"][-1] and one["messages"][0] != other["messages"][0]
    assert result.version.manifest["expanded"]["samples"] == 2 and result.version.manifest["rows"] == 6
    check_accounts(described)


def test_a_view_that_asks_nothing_refuses_prompts(described: Path) -> None:
    with pytest.raises(UsageError, match="the view 'unified' has none"):
        triptych.export("unified", prompt_language="zh", store=described)


@pytest.mark.parametrize(
    ("view", "options", "said"),
    [
        ("lhotse", {"captions": "all"}, "the view 'lhotse' has none"),
        ("nemo", {"captions": "all"}, "the view 'nemo' has none"),
        ("msswift", {"task": "pretrain", "prompts_per_sample": 2}, "pre-training are one text"),
        ("msswift", {"task": "sft", "mode": "voice-chat", "prompts_per_sample": 2}, "user turns have no text"),
        ("msswift", {"task": "sft", "mode": "voice-chat", "prompt_language": "zh"}, "user turns have no text"),
    ],
)
def test_rows_that_would_all_be_the_same_are_not_made(
    described: Path, view: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        triptych.export(view, store=described, **options)


TALK = [{"role": "user", "content": "<audio>What?"}, {"role": "assistant", "content": "Rain."}]
HEARD: dict[str, dict[str, Any]] = {
    "talk": {"captions": ["one", "two"], "messages": TALK},
    "pair": {"captions": ["one", "two"], "chosen": "good", "rejected": "bad"},
    "right": {"captions": ["one", "two"], "rejected": " two"},
    "spaced": {"captions": ["", "two", "two ", "2"]},
}


@pytest.mark.parametrize(
    ("view", "options", "made"),
    [
        ("msswift", {"task": "sft"},
         ["pair", "pair#caption2", "right", "right#caption2", "spaced", "spaced#caption2", "talk"]),
        ("msswift", {"task": "dpo"}, ["pair"]),
        ("msswift", {"task": "kto"}, ["pair#chosen", "pair#rejected"]),
        ("unified", {}, [each for name in sorted(HEARD) for each in (name, f"{name}#caption2")]),
    ],
)  # fmt: skip
def test_a_caption_that_no_row_would_say_gives_none(view: str, options: dict[str, Any], made: list[str]) -> None:
    """A conversation has its own answer, a pair may have; and a caption is no rejected answer of a description."""
    given = [sample(id=f"d/train/{name}", task="aac", **fields) for name, fields in HEARD.items()]
    rows = rows_of(given, view, ViewOptions(captions="all", **options))
    assert sorted(identity.removeprefix("d/train/") for identity, row in rows.items() if isinstance(row, dict)) == made


def test_a_sample_is_found_in_the_versions_that_have_several_rows_of_it(described: Path) -> None:
    reference = triptych.export("msswift", task="sft", captions="all", name="every", store=described).version.reference
    assert reference in triptych.explain("sounds/all/rain", store=described)["exports"]
    removal = cli_json("store", "remove", "--where", "id = 'sounds/all/rain'", "--dry-run", "--store", described,
                       "--json")  # fmt: skip
    assert removal["exports"][reference] == 2


def test_a_view_without_the_option_refuses_it(described: Path) -> None:
    with pytest.raises(UsageError, match="has no styles"):
        triptych.export("msswift", task="sft", style="hf", store=described)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`unified` with a further file that names its media, and one in a folder that does not."""

    def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
        import pyarrow.parquet as pq

        paths = pq.read_table(rows)["audio"].to_pylist()
        (folder / "paths.txt").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
        (folder / "facts").mkdir(exist_ok=True)
        (folder / "facts" / "options.json").write_text(json.dumps({"text": options.text}), encoding="utf-8")

    changed = replace(views.VIEWS["unified"], write_files=write_files)
    monkeypatch.setitem(views.VIEWS, "unified", changed)


@pytest.mark.usefixtures("listed")
def test_further_files_are_verified_relocated_and_packed(described: Path, tmp_path: Path) -> None:
    version = triptych.export("unified", name="listed", store=described).version
    assert set(version.manifest["files"]) == {
        "data.jsonl", "data.parquet", "NOTICE", "paths.txt", "facts/options.json"
    }  # fmt: skip
    assert triptych.exports.verify(version.reference, store=described) == {version.reference: []}
    moved = triptych.exports.relocate(version.reference, "/elsewhere", store=described)
    assert all(line.startswith("/elsewhere/media/") for line in (moved.path / "paths.txt").read_text().splitlines())
    assert moved.manifest["files"].keys() == version.manifest["files"].keys()
    triptych.exports.pack(version.reference, tmp_path / "pack", store=described)
    packed = (tmp_path / "pack" / "paths.txt").read_text(encoding="utf-8").splitlines()
    assert packed and all(Path(line).is_file() and Path(line).is_relative_to(tmp_path / "pack") for line in packed)
    assert (tmp_path / "pack" / "facts" / "options.json").is_file()

    (version.path / "facts" / "options.json").write_text("{}", encoding="utf-8")
    [problem] = triptych.exports.verify(version.reference, store=described)[version.reference]
    assert "facts/options.json: changed since it was published" in problem
    with pytest.raises(DamagedError, match=r"options\.json: damaged"):
        triptych.exports.path(version.reference, store=described)
    assert cli("exports", "verify", version.reference, "--store", described).returncode == 4
