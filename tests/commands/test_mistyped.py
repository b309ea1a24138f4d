"""Mistyped names: the message says which one was meant; options that do nothing are noted."""

from __future__ import annotations

from pathlib import Path

import pytest
import triptych
from support.command_line import run


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mistyped") / "store"
    triptych.pull("demo-speech", samples=2, store=place)
    return place


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("pull demo-speech", "No such command 'pull'. Did you mean: triptych catalog pull?"),
        ("valdate", "Did you mean: triptych validate"),
        ("store compct", "Did you mean: triptych store compact?"),
        ("import cvs x.csv --name x", "did you mean csv?"),
        ("convert jsnl a b", "did you mean jsonl"),
        ("validate-file mswift x", "did you mean msswift?"),
        ("validate demo-spech", "did you mean demo-speech?"),
        ("export unified --dataset demo-spech", "did you mean demo-speech?"),
        ("export unified --split trian", "did you mean train?"),
        ("export unified --limit speaker", "write it as --limit COLUMN=N"),
        ("import csv x.csv --name x --set asr", "write it as --set FIELD=VALUE"),
        ("store compact demo-spech", "did you mean demo-speech?"),
        ("store remove demo-spech", "did you mean demo-speech?"),
        ("catalog pull demo-speech --split trian", "did you mean train?"),
        ("catalog pull --preset calibraton", "did you mean calibration?"),
        ("store refresh --root rel --out x.duckdb", "--root 'rel' must be an absolute path."),
        (
            "convert jsonl a b --prompts-per-sample 2",
            "--prompts-per-sample. It is an option of triptych export. (Possible",
        ),
        ("convert jsonl a b --captions all", "No such option: --captions. It is an option of triptych export."),
        ("export unified --noise pink --copies 101", "--copies 101: at most 100 is expected."),
        ("catalog pull demo-speech --samples x", "'--samples': a whole number is expected."),
        ("catalog pull demo-speech --hours x", "'--hours': a number is expected."),
        ("catalog show demo-av --samples 0", "'--samples': at least 1 is expected."),
        ("export unified --where 1;commit", "is not one expression: it contains another statement."),
        ("export unified --where 1+", "is not one expression: invalid SQL (syntax error"),
        ("catalog pull librispeech --panel S1", "names and --panel exclude each other"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_one_that_was_meant(
    store: Path, line: str, meant: str, tmp_path: Path
) -> None:
    done = run("triptych", *line.split(), cwd=tmp_path, env={"TRIPTYCH_STORE": str(store), "PATH": "/usr/bin:/bin"})
    assert done.code == 2
    assert meant in done.stderr


def test_an_option_without_effect_is_noted(tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.touch()
    pull = ("catalog", "pull", "demo-speech", "--samples", "1", "--store", tmp_path / "s")
    done = run("triptych", *pull, "--cookies", cookies, "--seed", "3")
    assert done.code == 0
    assert "--seed has no effect" in done.stderr
    assert "demo-speech: --cookies has no effect: it has no clips to download" in done.stderr
    drawn = run("triptych", *pull, "--split", "test", "--by", "hash", "--seed", "3")
    assert drawn.code == 0 and "no effect" not in drawn.stderr


def test_a_repeated_pull_that_needs_nothing_has_reached_its_number(tmp_path: Path) -> None:
    place = tmp_path / "store"
    assert triptych.pull("demo-speech", samples=4, store=place).reached
    for result in triptych.pull(["demo-speech"], samples=2, store=place):
        assert result.reached and result.source is None
    for count in (3, 2):
        assert triptych.pull("demo-speech", split="test", samples=count, by="hash", store=place).reached
