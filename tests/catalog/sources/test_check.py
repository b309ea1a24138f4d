"""`catalog check`: the host is held against the card, by a listing, the end of one Parquet file and HEAD requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.hub import COMMIT, Hub, hub
from support.loopback import Loopback, serve
from support.stores import cli, cli_json
from support.talks import CARD, parquet
from triptych.catalog.files.shard_numbers import incomplete_series
from triptych.catalog.hosts.hub import pattern_of

Tone = Callable[..., bytes]
SUM = "a" * 64


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> Iterator[Hub]:
    """A hub with team/talks: a file for each split, and one that the card does not name."""
    folder = tmp_path_factory.mktemp("hub")
    for split in ("train", "test", "extra"):
        parquet(folder / f"team/talks/data/{split}/{split}-00000-of-00001.parquet", range(6), tone, group=3)
    with hub(folder) as server:
        yield server


@pytest.fixture(autouse=True)
def env(served: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    served.clear()
    served.gates.clear()
    served.tags = {"team/talks": ["license:cc0-1.0", "language:en"]}
    monkeypatch.setenv("HF_ENDPOINT", served.url().rstrip("/"))


def check(folder: Path, card: str = CARD) -> dict[tuple[int, str, str], str]:
    """(source, fact, status) -> what the host said, of a card."""
    (folder / "talks.yaml").write_text(card)
    found = triptych.catalog.check("talks", cards=folder)
    said = {(each.source, each.fact, each.status): each.said for each in found.findings}
    assert len(said) == len(found.findings)
    return said


def changed(old: str, new: str) -> str:
    assert CARD.count(old) == 1
    return CARD.replace(old, new)


def test_a_card_that_is_right_is_equal_in_every_fact(served: Hub, tmp_path: Path) -> None:
    said = check(tmp_path)
    size = sum(
        (served.folder / f"team/talks/data/{s}/{s}-00000-of-00001.parquet").stat().st_size for s in ("train", "test")
    )
    assert said == {
        (0, "files", "equal"): f"2 files, {size:,} bytes, at {COMMIT[:12]}",
        (0, "license", "equal"): "tag cc0-1.0",
        (0, "gate", "equal"): "open",
        (0, "columns", "equal"): "id, audio, text, speaker_id, chapter",
    }


def test_only_the_end_of_one_file_is_fetched(served: Hub, tmp_path: Path) -> None:
    big = served.folder / "team/talks/data/train/train-00000-of-00001.parquet"
    check(tmp_path)
    asked = [seen for seen in served.requests if "/resolve/" in seen.path]
    assert {seen.path for seen in asked} != set()
    assert all("range" in seen.headers for seen in asked if seen.method == "GET")
    assert sum(seen.sent for seen in asked) <= big.stat().st_size


@pytest.mark.parametrize(
    ("old", "new", "fact", "said"),
    [
        ("data/test/*.parquet", "test/data-*.parquet", "files",
         r"test: no file test/data-\*.parquet; there is data/test/test-\*-of-\*.parquet \(1\)"),
        ("text: text,", "text: words,", "columns", r"the card expects column\(s\) words; there are id, audio, text, "),
        ("license: CC0-1.0", "license: CC-BY-4.0", "license", "'CC-BY-4.0' on the card, tag cc0-1.0 on the hub"),
        ("\nsplits:", "\nscale: {bytes: 9000000}\nsplits:", "scale", "9,000,000 bytes on the card, .* in the files"),
        ("    reader:", f"    sha256: {{test: {SUM}}}\n    reader:", "checksums",
         f"sha256 on the card {SUM}, on the hub "),
    ],
)  # fmt: skip
def test_what_differs_is_said_with_what_is_there(old: str, new: str, fact: str, said: str, tmp_path: Path) -> None:
    found = check(tmp_path, changed(old, new))
    assert [(number, name) for number, name, status in found if status == "differs"] == [(0, fact)]
    assert re.search(said, found[0, fact, "differs"])


@pytest.mark.parametrize(
    ("license_", "tag", "status"),
    [
        ("terms of limited use", "mit", "differs"), ("LGPL-3.0", "gpl-3.0", "differs"),
        ("CC-BY-NC-4.0", "cc-by-4.0", "differs"), ("Apache 2.0 (code), MIT (texts)", "apache-2.0", "equal"),
    ],
)  # fmt: skip
def test_a_licence_is_compared_word_by_word(served: Hub, tmp_path: Path, license_: str, tag: str, status: str) -> None:
    served.tags = {"team/talks": [f"license:{tag}"]}
    assert (0, "license", status) in check(tmp_path, changed("license: CC0-1.0", f"license: {license_}"))


def test_numbered_files_of_which_some_are_gone() -> None:
    """A glob matches those that are left, so that nothing else shows what was renamed."""
    names = [f"data/train-{n:05d}-of-00004-{n}f.parquet" for n in (0, 1, 3)]
    assert incomplete_series([*names, "data/test-00000-of-00001.parquet", "x-01-of-02.tar", "x-02-of-02.tar"]) == [
        "data/train-*-of-00004.parquet: 3 of 4 files, without 00002"
    ]


def test_a_shard_that_is_gone_differs_and_a_folder_without_it_is_told(
    tmp_path: Path, tone: Tone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train/train-00000-of-00002", "test/test-00000-of-00001"):
        parquet(tmp_path / f"hub/team/talks/data/{name}.parquet", range(2), tone, group=3)
    with hub(tmp_path / "hub") as server:
        server.tags = {"team/talks": ["license:cc0-1.0"]}
        monkeypatch.setenv("HF_ENDPOINT", server.url().rstrip("/"))
        said = check(tmp_path)[0, "files", "differs"]
    assert said == "data/train/train-*-of-00002.parquet: 1 of 2 files, without 00001"
    own = tmp_path / "hub/team/talks"
    told = triptych.pull("talks", cards=tmp_path, store=tmp_path / "store", from_path=own).notices
    assert [line for line in told if "-of-" in line] == [f"{own}: {said}"]


def test_a_gate_and_a_missing_revision_differ_too(served: Hub, tmp_path: Path) -> None:
    served.gate("team/talks", token="hf_x")
    found = check(tmp_path)
    assert found[0, "gate", "differs"] == "open on the card, gated on the hub"
    assert "the host answered 401" in found[0, "columns", "not asked"]
    found = check(tmp_path, changed(COMMIT, "v9"))
    assert list(found) == [(0, "revision", "differs")]


def test_the_command_says_what_differs_and_exits_by_it(served: Hub, tmp_path: Path) -> None:
    place: list[Any] = ["catalog", "check", "talks", "--cards", tmp_path]
    (tmp_path / "talks.yaml").write_text(CARD)
    document = cli_json(*place)
    assert (document["equal"], document["differences"], document["unanswered"]) == (True, 0, 0)
    [source] = document["sources"]
    assert source["unnamed"] == ["data/extra/extra-*-of-*.parquet"]
    (tmp_path / "talks.yaml").write_text(changed("text: text,", "text: words,"))
    done = cli(*place)
    assert done.returncode == 1
    assert "hub team/talks\n  equal      files      2 files, " in done.stdout
    assert "  no split names data/extra/extra-*-of-*.parquet\n" in done.stdout
    assert done.stdout.endswith(f"3 equal, 1 differ, 0 not asked: the card is {tmp_path / 'talks.yaml'}\n")


def test_without_a_network_nothing_is_said_to_be_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "talks.yaml").write_text(CARD)
    done = cli("catalog", "check", "talks", "--cards", tmp_path)
    assert done.returncode == 3
    assert "  not asked  files      the hub cannot be reached for team/talks" in done.stdout
    assert done.stdout.endswith("0 equal, 0 differ, 1 not asked\n")
    found = triptych.catalog.check("talks", cards=tmp_path)
    assert (found.is_equal, found.differences, len(found.unanswered)) == (False, [], 1)


# ---- files that a card names by URL


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Loopback]:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/train.tar").write_bytes(b"x" * 512)
    (tmp_path / "host/test.tar").write_bytes(b"x" * 7)
    with serve(tmp_path / "host") as server:
        yield server


def check_files(host: Loopback, folder: Path, *, gate: str = "") -> dict[str, tuple[str, str, str]]:
    """Name of a file -> fact, status and what its host said."""
    source = f"sources:\n  - archive: {host.url('/{split}.tar')}\n    sha256: {{train: {SUM}, test: {SUM}}}\n"
    (folder / "talks.yaml").write_text(f"{CARD[: CARD.index('sources:')]}{gate}{source}    reader: sidecar\n")
    found = triptych.catalog.check("talks", cards=folder).findings
    return {str(each.file).rsplit("/", 1)[-1]: (each.fact, each.status, each.said) for each in found}


def test_addresses_are_asked_for_size_and_type_only(host: Loopback, tmp_path: Path) -> None:
    (tmp_path / "host/test.tar").unlink()
    assert check_files(host, tmp_path) == {
        "train.tar": ("files", "equal", "512 bytes, application/octet-stream"),
        "test.tar": ("files", "differs", "the host answered 404: no such file."),
    }
    assert [seen.method for seen in host.requests] == ["HEAD", "HEAD"]


def test_a_web_page_in_the_place_of_a_file_differs(host: Loopback, tmp_path: Path) -> None:
    host.fault("/train.tar", html=True)
    fact, status, said = check_files(host, tmp_path)["train.tar"]
    assert (fact, status) == ("files", "differs")
    assert said.startswith("the host sent a web page instead of a data file")


def test_a_refusal_is_a_difference_unless_the_card_names_its_gate(host: Loopback, tmp_path: Path) -> None:
    host.fault("/train.tar", status=403)
    fact, status, said = check_files(host, tmp_path)["train.tar"]
    assert (fact, status) == ("gate", "differs")
    assert said.startswith("the card names no gate; the host answered 403")
    found = check_files(host, tmp_path, gate="gate: {accept: terms, where: https://example.org}\n")
    assert found["train.tar"][:2] == ("files", "not asked")
    assert found["test.tar"] == ("files", "equal", "7 bytes, application/octet-stream")


def test_a_host_that_is_silent_is_asked_once(host: Loopback, tmp_path: Path) -> None:
    host.fault("/train.tar", status=503)
    found = check_files(host, tmp_path)
    assert found["train.tar"][:2] == ("files", "not asked")
    assert found["test.tar"] == ("files", "not asked", f"{host.host} did not answer")


def test_patterns_are_named_by_the_digits_of_the_file_alone() -> None:
    assert pattern_of("vox2/part00/a1-00.parquet") == "vox2/part00/a*-*.parquet"
