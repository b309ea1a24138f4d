"""Cards: checked to the line, found in order, listed by what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.stores import cli, cli_json
from triptych.catalog.registry import all_cards, get_card, lint
from triptych.catalog.schema.lint import check_card
from triptych.converters.readers import READERS
from triptych.errors import UsageError
from triptych.shards.strict_yaml import MAX_BYTES

CARD = """\
name: mine
title: Mine
panel: S1
modality: audio
tasks: [asr]
languages: [en]
license: CC0-1.0
splits: {train: train}
sources:
  - archive: https://example.org/mine.tar.gz
    reader:
      transcripts: {media: "{split}/{id}.wav", transcripts: "*.txt"}
"""


def written(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_card_of_the_package_is_without_fault() -> None:
    found = lint([])
    assert {"librispeech", "aishell1", "demo-speech", "demo-video", "demo-av"} <= {path.stem for path in found}
    assert {path.name: problems for path, problems in found.items() if problems} == {}


def test_every_card_has_what_a_pull_needs() -> None:
    for card in all_cards():
        assert card.license
        assert all(source.reader_name in READERS for source in card.sources)
        assert all(role in ("train", "validation", "test") for role in card.splits.values())
        assert list(card.splits.values()) == sorted(card.splits.values(), key=["train", "validation", "test"].index), (
            f"{card.name}: training splits come first"
        )


PROBLEMS = {
    "an unknown key": ("title: Mine", "titel: Mine", 2, "titel: unknown key"),
    "a missing key": ("license: CC0-1.0\n", "", 1, "license: this key is missing"),
    "a key twice": ("panel: S1", "panel: S1\npanel: S2", 4, "duplicate key 'panel'"),
    "another panel": ("panel: S1", "panel: S4", 3, "panel: "),
    "another modality": ("modality: audio", "modality: smell", 1, "modality must be one of"),
    "text for a list": ("tasks: [asr]", "tasks: asr", 5, "tasks: "),
    "no task": ("tasks: [asr]", "tasks: []", 5, "tasks: "),
    "a language that is none": ("languages: [en]", "languages: [english language]", 6, "BCP 47"),
    "a number for text": ("title: Mine", "title: 7", 2, "title: "),
    "a name that is no name": ("name: mine", "name: My Data", 1, "name: "),
    "another name than the file's": ("name: mine", "name: other", 1, "the file is called mine.yaml"),
    "an unknown role": ("{train: train}", "{train: learn}", 8, "splits.train"),
    "no split": ("{train: train}", "{}", 1, "at least one split"),
    "an unknown key in a source": ("    reader:", "    mirror: x\n    reader:", 11, "mirror: unknown key"),
    "no reader of that name": ("      transcripts:", "      transcript:", 10, "no reader 'transcript'"),
    "two kinds of source": ("    reader:", "    hub: a/b\n    reader:", 10, "exactly one of"),
    "a hub without a revision": (
        "archive: https://example.org/mine.tar.gz", "hub: a/b", 10, "needs `revision` and `files`"),
    "an archive over http": ("https://example.org", "http://example.org", 10, "https:// URL"),
    "a short sum": ("    reader:", "    sha256: abc\n    reader:", 11, "not a sha256 checksum"),
    "an alias": ("languages: [en]", "languages: &l [en]\nnotes: *l", 6, "anchors and aliases"),
    "a tag that makes objects": ("title: Mine", "title: !!python/object/apply:os.system [ls]", 2, "invalid YAML"),
    "an unknown option of the reader": (
        "transcripts: {media", "transcripts: {medium: a, media", 12, "unknown option medium"),
    "a table of clips without remote": (
        "archive: https://example.org/mine.tar.gz", "youtube: https://example.org/mine.csv", 10, "option `remote`"),
    "no YAML": ("title: Mine", "title: [Mine", 3, "invalid YAML"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_problem_is_told_with_its_line(tmp_path: Path, case: str) -> None:
    old, new, line, message = PROBLEMS[case]
    assert old in CARD
    path = written(tmp_path, CARD.replace(old, new, 1))
    problems, card = check_card(path)
    assert card is None
    assert any(problem.startswith(f"{path}:{line}:") and message in problem for problem in problems), problems


def test_a_sound_card_has_no_problem_and_all_problems_come_at_once(tmp_path: Path) -> None:
    assert check_card(written(tmp_path, CARD))[0] == []
    both = CARD.replace("title: Mine", "titel: Mine").replace("S1", "S4")
    assert len(check_card(written(tmp_path, both))[0]) == 3  # an unknown key, a missing one, a wrong panel


@pytest.mark.parametrize(
    "text", ["", "just text", "- a\n- b\n", "\x00", "[" * 5000, "? [a, b]\n: c\n"],
    ids=["empty", "text", "list", "null byte", "deep", "key that is a list"],
)  # fmt: skip
def test_a_file_that_is_no_card_is_told_and_not_a_crash(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    done = cli("catalog", "lint", path)
    assert done.returncode == 1
    assert str(path) in done.stdout
    assert "Traceback" not in done.stderr


def test_a_card_is_small_and_utf8(tmp_path: Path) -> None:
    big = written(tmp_path, CARD + "#" * MAX_BYTES)
    assert "the limit for a card is" in check_card(big)[0][0]
    latin = tmp_path / "mine.yaml"
    latin.write_bytes("title: caf\xe9".encode("latin-1"))
    assert "not UTF-8" in check_card(latin)[0][0]
    assert check_card(tmp_path / "none.yaml")[0] == [f"{tmp_path / 'none.yaml'}: there is no such card."]


def test_lint_takes_files_and_folders_and_exits_1(tmp_path: Path) -> None:
    written(tmp_path / "good", CARD)
    bad = written(tmp_path / "bad", CARD.replace("S1", "S4"))
    assert cli("catalog", "lint", tmp_path / "good").returncode == 0
    done = cli("catalog", "lint", tmp_path / "good", tmp_path / "bad")
    assert done.returncode == 1
    assert f"{bad}:3: panel" in done.stdout
    assert "2 cards, 1 problem" in done.stdout
    assert cli("catalog", "lint", tmp_path / "none").returncode == 2


# ---- where cards are found


def test_cards_of_the_user_are_found_by_option_then_by_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    written(tmp_path / "config/triptych/cards", CARD.replace("title: Mine", "title: Configured"))
    assert get_card("mine").title == "Configured"
    written(tmp_path / "cards", CARD.replace("title: Mine", "title: Chosen"))
    assert get_card("mine", extra=[tmp_path / "cards"]).title == "Chosen"
    own = CARD.replace("name: mine", "name: librispeech")
    written(tmp_path / "config/triptych/cards", own, "librispeech.yaml")
    assert get_card("librispeech").title == "Mine"
    with pytest.raises(UsageError, match="no such folder"):
        get_card("mine", extra=[tmp_path / "none"])


def test_one_bad_card_of_the_user_spoils_only_itself(tmp_path: Path) -> None:
    written(tmp_path, CARD.replace("S1", "S4"))
    listed = cli("catalog", "list", "--cards", tmp_path, "--store", tmp_path / "store")
    assert listed.returncode == 0
    assert "librispeech" in listed.stdout
    assert "mine.yaml:3: panel" in listed.stderr
    done = cli("catalog", "show", "mine", "--cards", tmp_path)
    assert done.returncode == 2
    assert "mine.yaml:3: panel" in done.stderr


def test_an_unknown_card_suggests_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        get_card("libri-speech")
    assert "librispeech" in (caught.value.hint or "")
    with pytest.raises(UsageError) as caught:
        get_card("qqqq")
    assert "catalog list" in (caught.value.hint or "")


# ---- list and show


def names(*options: str | Path) -> list[str]:
    return [card["name"] for card in cli_json("catalog", "list", *options)]


def test_list_chooses_by_panel_task_language_and_gate(tmp_path: Path) -> None:
    gate = "gate: {accept: terms, where: https://example.org}\n"
    written(tmp_path, CARD.replace("[en]", "[zh-HK]") + gate)
    place: list[str | Path] = ["--cards", tmp_path, "--store", tmp_path / "store"]
    assert {"librispeech", "demo-speech", "mine"} <= set(names("--panel", "s1", *place))
    assert "demo-video" not in names("--group", "S1", *place)
    assert names("--panel", "S3", "--task", "captioning", *place) == [
        "audiocaps_av",
        "demo-av",
        "finevideo",
        "msrvtt_mteb",
    ]
    assert {"aishell1", "demo-speech", "mine"} <= set(names("--language", "zh", *place))
    assert "kinetics400" not in names("--language", "zh", *place)
    assert {"mine", "lrs2", "timit"} <= set(names("--gated", *place))
    assert "mine" not in names("--open", *place)
    assert "librispeech" in names("--open", "--license", "cc-by", *place)
    assert names("--license", "cc-by", "--modality", "video", "--task", "qa", *place) == ["longvideobench"]
    assert "audiocaps" in names("--license", "mit", *place) and "timit" not in names("--license", "mit", *place)
    assert names("--license", "c-by", *place) == names("--license", "cc-b", *place) == []
    assert not (tmp_path / "store").exists()


def test_list_tells_what_the_store_holds(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert cli("catalog", "pull", "demo-speech", "--samples", "3", "--store", store).returncode == 0
    held = {card["name"]: card["stored"] for card in cli_json("catalog", "list", "--store", store)}
    assert (held["demo-speech"], held["librispeech"]) == (3, 0)


def test_show_gives_the_card_as_json_and_the_next_command_to_people(tmp_path: Path) -> None:
    card = cli_json("catalog", "show", "librispeech", "--store", tmp_path / "store")
    assert card["splits"]["test-other"] == "test"
    assert card["license"] == "CC-BY-4.0"
    assert card["stored"] == 0
    done = cli("catalog", "show", "librispeech", "--store", tmp_path / "store")
    assert "triptych catalog pull librispeech" in done.stdout
    assert "https://www.openslr.org/12" in done.stdout


def test_show_tells_what_a_mirror_has_of_the_files(tmp_path: Path) -> None:
    file = tmp_path / "www.openslr.org/resources/12/dev-clean.tar.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    done = cli("catalog", "show", "librispeech", "--mirror", tmp_path)
    assert re.search(r"\(1 of the \d+ files that it names are in the mirror\)", done.stdout)
    assert f"--samples 100 --mirror {tmp_path}\n" in done.stdout
    assert cli("catalog", "show", "librispeech", "--mirror", tmp_path / "none").returncode == 2


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [("--panel", "S9", "S1, S2, S3"), ("--modality", "vidoe", "audio, video, mixed"), ("--task", "asrr", "aac, asr")],
)
def test_list_refuses_a_value_that_no_card_can_have(option: str, value: str, known: str, tmp_path: Path) -> None:
    done = cli("catalog", "list", option, value, "--store", tmp_path / "store")
    assert done.returncode == 2 and done.stdout == ""
    assert f"{option} {value!r}" in done.stderr and known in done.stderr
