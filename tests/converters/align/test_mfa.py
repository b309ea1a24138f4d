"""`align --aligner mfa`: a program on PATH gets a corpus and writes TextGrids; what it leaves out is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import triptych
from support.imported import bring_in, noise, sound
from support.stores import check_accounts, select
from triptych.converters.annotations.align.aligner import aligner_of
from triptych.errors import ProblemsFound, UsageError

PROGRAM = '''
"""Does what `mfa` does with its corpus: words of equal length, phones of equal length, in TextGrids."""

import os, pathlib, sys, wave

if sys.argv[1:] == ["version"]:
    print(os.environ["FAKE_VERSION"])
    sys.exit()
*options, corpus, dictionary, model, out = sys.argv[1:]
pathlib.Path(os.environ["FAKE_SEEN"]).write_text("\\n".join([*options, dictionary, model]))
if model == "absent":
    sys.exit("PretrainedModelNotFoundError: Could not find a model named absent")
for lab in sorted(pathlib.Path(corpus).rglob("*.lab")):
    words = lab.read_text(encoding="utf-8").replace("-", " ").split()
    if "unheard" in words:
        continue
    with wave.open(str(lab.with_suffix(".wav"))) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (16000, 1)
        end = sound.getnframes() / 16000
    step = end / (len(words) + 1)
    spans = [(word, step * (n + 1), step * (n + 2)) for n, word in enumerate(words)]
    phones = [("spn" if word == "zembla" else word[0].upper(), a, b) for word, a, b in spans]
    target = pathlib.Path(out) / lab.relative_to(corpus).with_suffix(".TextGrid")
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end), "<exists>", "2"]
    for name, tier in (("words", spans), ("phones", phones)):
        tier = [("", 0.0, step), *tier]
        lines += ['"IntervalTier"', f'"{name}"', "0", str(end), str(len(tier))]
        lines += [f'{a} {b} "{text}"' for text, a, b in tier]
    target.write_text("\\n".join(lines), encoding="utf-8")
'''


@pytest.fixture(autouse=True)
def anew() -> None:
    """The program is looked for once a process, as if it stayed where it is."""
    aligner_of.cache_clear()


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the program on PATH notes its options."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/mfa"
    program.write_text(f"#!{sys.executable} -S\n{PROGRAM}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_VERSION", "3.2.1")
    monkeypatch.setenv("FAKE_SEEN", str(tmp_path / "seen"))
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
