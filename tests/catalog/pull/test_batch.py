"""Several datasets in one pull: by panel, by modality, by preset."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cards import head, put_card
from support.corpora import READER, Utterance, archive, members
from support.loopback import serve
from support.stores import begin, cli, cli_json, select
from triptych.catalog.pull.batch import PullItem, items_of, open_items, preset_items, preset_names, shares
from triptych.catalog.registry import get_card
from triptych.errors import UsageError

SOURCES = """
{more}
sources:
  - {source}
"""


@given(total=st.integers(1, 10_000), parts=st.integers(1, 20))
def test_shares_add_up_and_differ_by_one(total: int, parts: int) -> None:
    found = shares(total, parts)
    assert sum(found) == total
    assert max(found) - min(found) <= 1


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Cards of a panel of their own modality: two open ones, one behind a form, one to be got by hand."""
    cards = tmp_path / "cards"
    gate = "gate: {accept: sign the form, where: https://example.org/form}"
    for name, source, more in (
        ("aaa", "archive: https://example.org/aaa/{split}.tar.gz", ""),
        ("bbb", "archive: https://example.org/bbb/{split}.tar.gz", ""),
        ("ccc", "archive: https://example.org/ccc/{split}.tar.gz", gate),
        ("ddd", "manual: the disc that was sent by mail", ""),
    ):
        put_card(cards, name, head(name, modality="text") + SOURCES.format(source=source, more=more) + READER)
    for number, name in enumerate(("aaa", "bbb", "ccc")):
        spoken = [Utterance("train", n + 50 * number) for n in range(4)]
        archive(tmp_path / f"mirror/example.org/{name}/train.tar.gz", members(spoken))
    return cards


def test_what_is_behind_a_form_is_told_before_any_work_where_no_mirror_answers(own: Path) -> None:
    items, skipped = items_of(panel=None, modality="text", samples=2, cards=[own])
    assert [item.name for item in items] == ["aaa", "bbb"]
    why = {each.name: each.why for each in skipped}
    assert sorted(why) == ["ccc", "ddd"]
    assert "sign the form" in why["ccc"] and "https://example.org/form" in why["ccc"]


def test_a_mirror_asks_no_form_and_what_is_got_by_hand_is_told(own: Path, tmp_path: Path) -> None:
    done = cli("catalog", "pull", "--modality", "text", "--samples", "2", "--cards", own,
               "--mirror", tmp_path / "mirror", "--store", tmp_path / "store")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ddd: skipped: the disc that was sent by mail" in done.stderr
    rows = select(tmp_path / "store", "select dataset, count(*) n from samples group by 1 order by 1")
    assert [(row["dataset"], row["n"]) for row in rows] == [("aaa", 2), ("bbb", 2), ("ccc", 2)]


def test_one_dataset_that_fails_does_not_keep_the_others(own: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror/example.org/aaa/train.tar.gz").unlink()
    done = cli("catalog", "pull", "--modality", "text", "--cards", own, "--mirror", tmp_path / "mirror",
               "--store", tmp_path / "store", "--json")  # fmt: skip
    assert done.returncode == 3
    assert "aaa:" in done.stderr
    rows = select(tmp_path / "store", "select dataset, count(*) n from samples group by 1 order by 1")
    assert [(row["dataset"], row["n"]) for row in rows] == [("bbb", 4), ("ccc", 4)]


def test_names_panels_and_presets_are_not_mixed(own: Path) -> None:
    mixed = {
        "names and --panel exclude each other": ["aaa", "--panel", "S1"],
        "--panel and --preset exclude each other": ["--panel", "S1", "--preset", "calibration"],
        "choose what to pull": [],
    }
    for said, words in mixed.items():
        done = cli("catalog", "pull", *words, "--cards", own)
        assert (done.returncode, said in done.stderr) == (2, True)


def test_an_unknown_preset_panel_or_modality_names_what_there_is() -> None:
    with pytest.raises(UsageError, match="calibration"):
        preset_items("calibrate", samples=None)
    with pytest.raises(UsageError, match="no card has panel S9"):
        items_of(panel="S9", modality=None, samples=1)


def test_every_preset_names_cards_splits_and_configurations_that_exist() -> None:
    assert "calibration" in preset_names()
    for name in preset_names():
        for item in preset_items(name, samples=None):
            card = get_card(item.name)
            assert set(item.splits) <= set(card.splits)
            assert set(item.configs) <= set(card.configs)


def test_the_calibration_set_takes_as_many_samples_of_each_panel() -> None:
    by_panel: dict[str, int] = {}
    for item in preset_items("calibration", samples=100):
        panel = get_card(item.name).panel
        by_panel[panel] = by_panel.get(panel, 0) + (item.samples or 0)
    assert by_panel == {"S1": 100, "S2": 100, "S3": 100}


def test_a_dry_run_of_a_panel_reads_nothing(own: Path, tmp_path: Path) -> None:
    plans = cli_json("catalog", "pull", "--modality", "text", "--dry-run", "--cards", own,
                     "--mirror", tmp_path / "mirror", "--store", tmp_path / "store")  # fmt: skip
    assert [plan["dataset"] for plan in plans] == ["aaa", "bbb", "ccc"]
    assert not (tmp_path / "store").exists()


def test_a_dry_run_of_several_shows_the_plans_there_are_and_fails_as_the_pull_does(own: Path, tmp_path: Path) -> None:
    words = ["catalog", "pull", "aaa", "demo-speech", "bbb", "--split", "test", "--samples", "2", "--cards", own,
             "--mirror", tmp_path / "mirror", "--store", tmp_path / "store"]  # fmt: skip
    planned, pulled = cli(*words, "--dry-run"), cli(*words)
    assert planned.returncode == pulled.returncode == 2
    for name in ("aaa", "bbb"):
        assert f"{name}: {name} has no split 'test'" in planned.stderr
    assert "demo-speech: 2 samples wanted" in planned.stdout
    assert "1 of 3 datasets planned; 2 failed" in planned.stdout


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (["--hours", "0.001"], "--hours ended the pull"),
        (["--max-tries", "3"], "--max-tries ended the pull"),
        (["--max-tries", "3", "--by", "hash", "--split", "test"], "--max-tries ended the pull"),
        ([], "the source has no more"),
    ],
)
def test_a_pull_says_what_ended_it_before_its_number(limit: list[str], said: str, tmp_path: Path) -> None:
    done = cli("catalog", "pull", "demo-speech", "--samples", "500", *limit, "--store", tmp_path / "store")
    assert done.returncode == 0 and f"500 were requested; {said}" in done.stdout


@pytest.mark.parametrize("draw", [[], ["--by", "hash", "--samples", "5"]])
def test_labels_that_no_candidate_has_exit_1_however_often(draw: list[str], tmp_path: Path) -> None:
    words = ["catalog", "pull", "demo-speech", "--labels", "foo", *draw, "--store", tmp_path / "store"]
    for done in (cli(*words), cli(*words)):
        assert done.returncode == 1
        assert "no candidate has the label 'foo'" in done.stdout + done.stderr


def test_what_a_list_cannot_be_combined_with_names_the_option_given(tmp_path: Path) -> None:
    for words, flag in ((["--list-file", "x"], "--list-file"), (["--list", "x"], "--list")):
        done = cli("catalog", "pull", "librispeech", *words, "--dry-run", "--store", tmp_path / "store")
        assert done.returncode == 2 and f"{flag} needs exactly one dataset" in done.stderr


def test_a_preset_tells_what_is_behind_a_form_before_any_work(own: Path) -> None:
    items = [PullItem(name, 2) for name in ("aaa", "ccc", "ddd")]
    chosen, skipped = open_items(items, cards=(own,))
    assert [item.name for item in chosen] == ["aaa"]
    assert [each.name for each in skipped] == ["ccc", "ddd"]
    assert "https://example.org/form" in skipped[0].why
    chosen, skipped = open_items(items, mirror="/mirror", cards=(own,))
    assert ([item.name for item in chosen], [each.name for each in skipped]) == (["aaa", "ccc"], ["ddd"])


def test_the_document_of_several_pulls_says_what_was_pulled_what_failed_and_what_was_passed_over(
    own: Path, tmp_path: Path
) -> None:
    (tmp_path / "mirror/example.org/aaa/train.tar.gz").unlink()
    done = cli("catalog", "pull", "--modality", "text", "--samples", "2", "--cards", own, "--json",
               "--mirror", tmp_path / "mirror", "--store", tmp_path / "store")  # fmt: skip
    document = json.loads(done.stdout)
    assert list(document) == ["pulled", "failed", "passed_over"]
    assert [(each["dataset"], each["stored"]) for each in document["pulled"]] == [("bbb", 2), ("ccc", 2)]
    assert [(each["dataset"], each["exit"]) for each in document["failed"]] == [("aaa", 3)]
    assert [each["name"] for each in document["passed_over"]] == ["ddd"]
    assert done.returncode == 3


def test_stopped_by_hand_it_keeps_what_came_and_goes_on(own: Path, tmp_path: Path) -> None:
    with serve(tmp_path / "mirror") as host:
        host.fault("/example.org/bbb/train.tar.gz", delay=2.0, times=2)
        running = begin("catalog", "pull", "--modality", "text", "--cards", own, "--mirror", host.url(),
                        "--store", tmp_path / "store")  # fmt: skip
        until = time.monotonic() + 60
        while not host.seen("/example.org/bbb/train.tar.gz") and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "stopped; run the same command again to continue where it stopped" in said
        assert "Traceback" not in said
        rows = select(tmp_path / "store", "select dataset, count(*) n from samples group by 1")
        assert [(row["dataset"], row["n"]) for row in rows] == [("aaa", 4)]
        host.clear()
        again = cli("catalog", "pull", "--modality", "text", "--cards", own, "--mirror", host.url(),
                    "--store", tmp_path / "store")  # fmt: skip
        assert again.returncode == 0, again.stderr
        assert not host.seen("/example.org/aaa/train.tar.gz", "GET")
