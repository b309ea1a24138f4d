"""`align --aligner mfa`: a program on PATH gets a corpus and writes TextGrids; what it leaves out is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import triptych
from support.imported import bring_in, noise, sound
from support.mfa import stand_in
from support.stores import check_accounts, select
from triptych.converters.annotations.align.aligner import aligner_of
from triptych.errors import ProblemsFound, UsageError
from triptych.shards.events import Run


@pytest.fixture(autouse=True)
def anew() -> None:
    """The program is looked for once a process, as if it stayed where it is."""
    aligner_of.cache_clear()


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the program on PATH notes its options."""
    for name, value in stand_in(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path / "seen"


def stored(folder: Path, *texts: str, **fields: Any) -> Path:
    """A store with one clip for each text, the last second of a file of two."""
    rows = []
    for number, text in enumerate(texts):
        path = sound(folder / f"{number}.wav", noise(2.0, seed=number))
        rows.append({"id": f"u{number}", "audio": str(path), "text": text, "start_s": 1.0, "end_s": 2.0,
                     "language": "en", "speaker": f"s{number % 2}", "task": "asr"} | fields)  # fmt: skip
    return bring_in(folder / "store", "mine", rows, folder)


def test_its_textgrids_become_times_in_the_spelling_of_the_text(tmp_path: Path, seen: Path) -> None:
    place = stored(tmp_path, "HELLO, Cold-hearted WORLD!", "to Zembla now", "unheard", "甚至 出现", "fine")
    [done] = triptych.align(store=place, aligner="mfa", workers=3)
    assert (done.account.kept, dict(done.account.dropped)) == (3, {"not_alignable": 1, "unknown_word": 1})
    assert done.producer == "align mfa 3.2.1 english_us_arpa english_us_arpa"
    [row] = select(place, "select words, phones from samples where id = 'mine/all/u0'")
    assert [word["text"] for word in row["words"]] == ["HELLO", "Cold-hearted", "WORLD"]
    assert np.allclose([(w["start_s"], w["end_s"]) for w in row["words"]], [(1.2, 1.4), (1.4, 1.8), (1.8, 2.0)])
    assert [phone["text"] for phone in row["phones"]] == ["H", "C", "H", "W"]
    [event] = select(place, "select detail from events where reason = 'unknown_word'")
    assert "zembla" in event["detail"]
    options = seen.read_text().split("\n")
    assert options[0] == "align" and options[options.index("--num_jobs") + 1] == "3"
    check_accounts(place)


def test_times_of_a_run_killed_before_its_account_are_accounted_once(
    tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = stored(tmp_path, "hello world", "unheard", "fine")

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            triptych.align(store=place, aligner="mfa")
    counts = [triptych.align(store=place, aligner="mfa")[0].account for _ in range(2)]
    assert [(each.kept, dict(each.dropped)) for each in counts] == [
        (2, {"not_alignable": 1}),
        (0, {"not_alignable": 1}),
    ]
    check_accounts(place)


def test_models_of_other_languages_are_named(tmp_path: Path, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = stored(tmp_path, "bonjour", language="fr")
    [done] = triptych.align(store=place, aligner="mfa")
    assert dict(done.account.dropped) == {"language_unsupported": 1}
    with pytest.raises(UsageError, match="together"):
        triptych.align(store=place, aligner="mfa", acoustic_model="french_mfa")
    monkeypatch.setenv("FAKE_VERSION", "4.0.0")
    [done] = triptych.align(store=place, aligner="mfa", acoustic_model="french_mfa", dictionary="french")
    assert done.account.kept == 1 and done.producer == "align mfa 4.0.0 french_mfa french"
    assert seen.read_text().split("\n")[0] == "align_legacy" and seen.read_text().endswith("\nfrench\nfrench_mfa")


def test_a_failure_of_the_program_ends_the_run_with_what_it_said(tmp_path: Path, seen: Path) -> None:
    place = stored(tmp_path, "hello")
    with pytest.raises(ProblemsFound, match=r"mfa align exited with 1: .*Could not find a model") as failed:
        triptych.align(store=place, aligner="mfa", acoustic_model="absent", dictionary="absent")
    assert "mfa model download acoustic absent" in str(failed.value.hint)
    assert select(place, "select 1 from annotations") == []


def test_it_must_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = stored(tmp_path, "hello")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no program mfa"):
        triptych.align(store=place, aligner="mfa")
