"""Pulling from a hub: the real client lists files, ranges fetch only what is needed, gates are reported first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.hub import COMMIT, Hub, hub
from support.stores import check_accounts, check_media, cli, cli_json, one, select
from support.talks import CARD, parquet

Tone = Callable[..., bytes]
Place = list[str | Path]
FILE = f"/datasets/team/talks/resolve/{COMMIT}/data/train/0.parquet"
GATE = "gate: {accept: the terms of the team, where: https://example.org/talks}\n"


@pytest.fixture
def served(tmp_path: Path, tone: Tone) -> Iterator[Hub]:
    """A hub with the repository team/talks: 60 training rows in twelve row groups of 80 kB, 3 test rows."""
    folder = tmp_path / "hub"
    parquet(folder / "team/talks/data/train/0.parquet", range(60), tone, group=5, seconds=3.0)
    parquet(folder / "team/talks/data/test/0.parquet", range(3), tone, group=5)
    cards = tmp_path / "cards"
    cards.mkdir()
    (cards / "talks.yaml").write_text(CARD)
    with hub(folder) as server:
        yield server


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return ["--store", tmp_path / "store", "--cards", tmp_path / "cards"]


@pytest.fixture
def env(served: Hub) -> dict[str, str]:
    return {"HF_ENDPOINT": served.url().rstrip("/")}


def test_a_pull_through_the_real_client_stores_every_row(served: Hub, place: Place, env: dict[str, str]) -> None:
    done = cli_json("catalog", "pull", "talks", *place, env=env)
    assert (done["source"], done["stored"]) == ("hub", 63)
    root = Path(str(place[1]))
    [row] = select(root, "select text, speaker, extra, split, revision from samples where id = 'talks/train/t007'")
    expected = {"text": "text 7", "speaker": "1", "extra": {"chapter": "0"}, "split": "train", "revision": COMMIT}
    assert row == expected
    check_accounts(root)
    check_media(root)
    served.requests.clear()
    assert cli_json("catalog", "pull", "talks", *place, env=env)["account"]["candidates"] == 0
    assert not any("/resolve/" in request.path for request in served.requests)


def test_five_samples_fetch_far_less_than_the_file(served: Hub, place: Place, env: dict[str, str]) -> None:
    size = (served.folder / "team/talks/data/train/0.parquet").stat().st_size
    assert size > 2_500_000
    assert cli_json("catalog", "pull", "talks", "--samples", "5", *place, env=env)["stored"] == 5
    assert served.sent(FILE) < size / 3
    before = select(Path(str(place[1])), "select * from samples order by id")
    assert cli_json("catalog", "pull", "talks", "--samples", "8", *place, env=env)["stored"] == 8
    after = select(Path(str(place[1])), "select * from samples order by id")
    assert after[:5] == before
    assert [row["id"] for row in after] == [f"talks/train/t{n:03d}" for n in range(8)]


def test_a_gate_without_a_token_is_reported_before_any_work(
    served: Hub, place: Place, env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "cards/talks.yaml").write_text(CARD + GATE)
    served.gate("team/talks", token="hf_secret")
    done = cli("catalog", "pull", "talks", *place, env=env)
    assert done.returncode == 3
    assert "talks is gated: the terms of the team" in done.stderr
    assert "https://example.org/talks" in done.stderr
    assert "hf auth login" in done.stderr
    assert served.requests == []
    wrong = cli("catalog", "pull", "talks", *place, env=env | {"HF_TOKEN": "hf_wrong"})
    assert wrong.returncode == 3
    assert wrong.stderr.count("error:") == 1
    assert "hf_wrong" not in wrong.stderr
    root = Path(str(place[1]))
    assert one(root, "select count(*) from samples") + one(root, "select count(*) from runs") == 0


def test_a_gate_missing_from_the_card_is_one_clear_message(served: Hub, place: Place, env: dict[str, str]) -> None:
    served.gate("team/talks", token="hf_secret")
    done = cli("catalog", "pull", "talks", *place, env=env)
    assert done.returncode == 3
    assert "access is not granted" in done.stderr
    assert "Traceback" not in done.stderr
    assert one(Path(str(place[1])), "select count(*) from samples") == 0


def test_with_the_token_it_pulls(served: Hub, place: Place, env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cards/talks.yaml").write_text(CARD + GATE)
    served.gate("team/talks", token="hf_secret")
    done = cli_json("catalog", "pull", "talks", "--split", "test", *place, env=env | {"HF_TOKEN": "hf_secret"})
    assert done["stored"] == 3


def test_faults_of_the_hub_are_overcome_or_reported(served: Hub, place: Place, env: dict[str, str]) -> None:
    served.fault(FILE, status=429, retry_after="0", times=2)
    served.fault(FILE, drop_after=20_000, times=2)
    assert cli_json("catalog", "pull", "talks", "--samples", "7", *place, env=env)["stored"] == 7
    check_media(Path(str(place[1])))
    served.clear()
    served.fault(FILE, html=True)
    done = cli("catalog", "pull", "talks", "--samples", "40", *place, env=env)
    assert done.returncode == 3
    assert "web page" in done.stderr
    assert one(Path(str(place[1])), "select count(*) from samples") == 7
    check_accounts(Path(str(place[1])))


def test_a_host_that_ignores_ranges_is_read_whole(served: Hub, place: Place, env: dict[str, str]) -> None:
    served.fault(FILE, ignore_ranges=True)
    done = cli_json("catalog", "pull", "talks", "--split", "train", *place, env=env)
    assert done["stored"] == 60
    assert any("ignores ranges" in notice for notice in done["notices"])
    root = Path(str(place[1]))
    check_media(root)
    assert list((root / "partial").rglob("*.parquet")) == []


def test_a_file_that_changes_while_it_is_read_is_not_mixed(served: Hub, place: Place, env: dict[str, str]) -> None:
    cli_json("catalog", "pull", "talks", "--samples", "5", *place, env=env)
    served.fault(FILE, etag='"second"')
    served.fault(FILE, etag='"first"', times=3)
    done = cli("catalog", "pull", "talks", "--samples", "50", *place, env=env)
    assert done.returncode == 3
    assert "changed while it was read" in done.stderr
    check_accounts(Path(str(place[1])))
    check_media(Path(str(place[1])))


def test_an_unknown_repository_revision_or_file_names_what_is_missing(
    served: Hub, place: Place, env: dict[str, str], tmp_path: Path
) -> None:
    cards = tmp_path / "cards/talks.yaml"
    for old, new, message in [
        ("team/talks", "team/other", "team/other"),
        (f"revision: {COMMIT}", "revision: v9", "no revision v9"),
        ("data/train/*.parquet", "nothing/*.parquet", "no file nothing/*.parquet"),
    ]:
        cards.write_text(CARD.replace(old, new))
        done = cli("catalog", "pull", "talks", *place, env=env)
        assert done.returncode == 3, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unreachable_hub_is_reported(place: Place, env: dict[str, str]) -> None:
    done = cli("catalog", "pull", "talks", *place, env=env | {"HF_HUB_OFFLINE": "1"})
    assert done.returncode == 3
    assert "the hub cannot be reached for team/talks" in done.stderr
    assert "HF_HUB_OFFLINE" in done.stderr
