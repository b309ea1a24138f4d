"""Calls from Python: wrong types are refused by name, and errors name the arguments of the call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.command_line import run


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: triptych.pull(None), "name=None: expected text or a list, got NoneType."),  # type: ignore[call-overload]
        (lambda: triptych.query(5), "sql=5: expected text, got int."),  # type: ignore[arg-type]
        (lambda: triptych.validate(5), "datasets=5: expected text or a list, got int."),  # type: ignore[arg-type]
        (lambda: triptych.export(5), "view=5: expected text or a path, got int."),  # type: ignore[arg-type]
        (lambda: triptych.annotate(5), "id=5: expected text, a path or a list, got int."),  # type: ignore[call-overload]
        (lambda: triptych.convert("csv", 5, "out"), "paths=5: expected text, a path or a list"),  # type: ignore[arg-type]
        (lambda: triptych.exports.verify(5), "references=5: expected text or a list"),  # type: ignore[arg-type]
        (lambda: triptych.store.gc(older_than_days="x"), "older_than_days='x': expected a number"),  # type: ignore[arg-type]
        (lambda: triptych.catalog.show("demo-av", samples="many"), "samples='many': expected a whole number"),  # type: ignore[arg-type]
        (lambda: triptych.catalog.lint(5), "paths=5: expected text, a path or a list"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_type_is_refused_by_the_name_of_its_argument(call: Callable[[], Any], text: str) -> None:
    with pytest.raises(triptych.UsageError) as error:
        call()
    assert str(error.value).startswith(text)


@pytest.mark.parametrize(
    ("call", "text", "message"),
    [
        (lambda: triptych.pull("demo-av", by="hash"), "by='hash' needs a number", "--by hash needs a number"),
        (
            lambda: triptych.pull("demo-av", by="hash", balance="speaker", samples=3),
            "by='hash' and balance= are different draws",
            "--by hash and --balance are different draws",
        ),
        (lambda: triptych.pull("demo-av", as_config="x"), "as_config= names", "--as names the release in --from"),
        (lambda: triptych.pull("demo-av", samples=0), "samples=0: at least 1", "--samples 0: at least 1"),
        (lambda: triptych.pull("demo-av", from_path="/a/no such"), "from_path='/a/no such': ", "--from /a/no such: "),
        (
            lambda: triptych.store.refresh(root="/elsewhere"),
            "root= is for a file to use elsewhere: name it with out=FILE.",
            "--root is for a file to use elsewhere: name it with --out FILE.",
        ),
    ],
)
def test_an_error_names_arguments_in_python_and_flags_on_the_command_line(
    call: Callable[[], Any], text: str, message: str
) -> None:
    with pytest.raises(triptych.UsageError) as error:
        call()
    assert str(error.value).startswith(text)
    assert error.value.message.startswith(message)


def test_switches_and_mappings_are_named_as_the_call_writes_them(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "x"}\n', encoding="utf-8")
    (tmp_path / "out.jsonl").write_text("", encoding="utf-8")
    words = ("convert", "merge", tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")
    with pytest.raises(triptych.UsageError) as error:
        triptych.convert("merge", [tmp_path / "in.jsonl"], tmp_path / "out.jsonl")
    typed = run("triptych", *words)
    assert typed.code == 2 and error.value.message in typed.stderr
    from triptych.converters.convert.options import ConvertOptions
    from triptych.options.calls import Call

    named = Call(triptych.convert.__wrapped__, ConvertOptions).in_python  # type: ignore[attr-defined]
    assert named("pip install --force-reinstall y") == "pip install --force-reinstall y"
    assert named("it exists; add --force.") == "it exists; add force=True."
    assert named("map it: --map COLUMN=audio, or --no-files") == "map it: columns={'COLUMN': 'audio'}, or files=False"


def test_one_path_or_name_stands_for_a_list_of_one(tmp_path: Path) -> None:
    with pytest.raises(triptych.UsageError, match="my-cards: there is no such file or folder"):
        triptych.catalog.lint("my-cards")
    place = tmp_path / "store"
    triptych.pull(["demo-speech", "demo-av"], samples=2, store=place)
    (result,) = triptych.validate(["demo-speech"], store=place)
    assert result.dataset == "demo-speech"


def test_tab_lists_the_functions_of_a_namespace_only() -> None:
    for module in (triptych.catalog, triptych.exports, triptych.store):
        assert dir(module) == sorted(module.__all__)
