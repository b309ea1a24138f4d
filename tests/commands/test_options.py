"""Every option is said once: help, signature, record, arguments for checkers and docs come from its model."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import triptych
import typer
import typer.main
from support.command_line import run
from support.places import ROOT
from triptych import api, cli
from triptych.commands import reference, table
from triptych.commands.parameters import takes
from triptych.options import Option, Options, Parameter, parameters

BIN = Path(sys.executable).parent
MODELS = list(reference.MODELS.items())
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pull": triptych.pull, "import": triptych.import_data, "convert": triptych.convert, "export": triptych.export,
    "list": triptych.catalog.list, "align": triptych.align, "split": triptych.split,
    "infer": triptych.infer, "evaluate": triptych.evaluate,
    "review_make": triptych.review_make, "review_read": triptych.review_read,
    "train_contrastive": triptych.train_contrastive, "retrieve": triptych.retrieve,
    "train_sft": triptych.train_sft, "train_dpo": triptych.train_dpo,
    "train_export": triptych.train_export, "train_phoneme": triptych.train_phoneme,
    "phoneme_build_vocabulary": triptych.phoneme_build_vocabulary, "phoneme_infer": triptych.phoneme_infer,
    "prune": triptych.prune,
}  # fmt: skip
COMMANDS = {
    "pull": ["catalog", "pull"], "list": ["catalog", "list"], "review_make": ["review", "make"],
    "review_read": ["review", "read"], "train_sft": ["train", "sft"], "train_dpo": ["train", "dpo"],
    "train_export": ["train", "export"], "train_phoneme": ["train", "phoneme"],
    "phoneme_build_vocabulary": ["phoneme", "build-vocabulary"], "phoneme_infer": ["phoneme", "infer"],
    "train_contrastive": ["train", "contrastive"],
}  # fmt: skip


@lru_cache(maxsize=1)
def program() -> Any:
    return typer.main.get_command(cli.app)


def command(words: list[str]) -> Any:
    found = program()
    for word in words:
        found = found.commands[word]
    return found


def all_parameters() -> list[tuple[str, Parameter]]:
    return [(name, each) for name, model in MODELS for each in parameters(model)]


@pytest.mark.parametrize(("name", "option"), all_parameters(), ids=lambda each: getattr(each, "name", each))
def test_an_option_is_the_same_on_the_command_line_and_in_python(name: str, option: Parameter) -> None:
    [typed] = [each for each in command(COMMANDS.get(name, [name])).params if each.name == option.name]
    assert set(typed.opts) | set(typed.secondary_opts) == {each for flag in option.flags for each in flag.split("/")}
    assert option.option.help.removesuffix(".") in typed.help and typed.help.endswith(".")
    assert typed.rich_help_panel == option.option.group
    in_python = inspect.signature(FUNCTIONS[name]).parameters[option.name]
    assert in_python.annotation == option.accepted and in_python.kind is inspect.Parameter.KEYWORD_ONLY
    assert (
        in_python.default is inspect.Parameter.empty if option.required else in_python.default == option.shown_default
    )
    assert f"{option.name}: {option.option.help}" in (FUNCTIONS[name].__doc__ or "")


def test_what_is_generated_is_what_the_models_say() -> None:
    again = "python -m triptych.commands.reference writes it anew"
    assert (ROOT / "options/arguments.py").read_text() == reference.arguments_file(), again
    page = (ROOT / "docs" / "commands.md").read_text()
    assert page == reference.docs_page(page), again
    for name in ("pull", "import", "align", "convert", "export"):
        assert f"<!-- options of {name} -->" in page


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_every_option_has_a_sentence_a_heading_and_a_field(name: str, model: type[Options]) -> None:
    names = [each.name for each in parameters(model)]
    assert len(names) == len(set(names))
    for each in parameters(model):
        assert each.option.help.endswith((".", "...")) and each.option.group
        assert each.required or each.default is not MISSING


def test_a_default_is_not_recorded_and_what_was_asked_is() -> None:
    options = api.PullOptions.of(
        samples=3, split="train,dev", labels='Dog,"a, b"', part="1/4", retry=["dead"], mirror=Path("/m"), proxy="http://u:secret@h",
    )  # fmt: skip
    assert options.asked() == {
        "samples": 3, "split": ["train", "dev"], "labels": ["Dog", "a, b"], "part": "1/4", "retry": ["dead"],
        "mirror": "/m",
    }  # fmt: skip
    assert "secret" not in json.dumps(options.asked())
    assert api.PullOptions().asked() == {} == api.PullOptions.of(samples=None, split=[]).asked()
    assert options.changed(samples=5).subset == options.subset


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        (api.PullOptions, {"samples": "2"}, "samples='2': expected a whole number, got str"),
        (api.PullOptions, {"samples": True}, "samples=True: expected a whole number"),
        (api.PullOptions, {"samples": 0}, "--samples 0: at least 1"),
        (api.PullOptions, {"samples": 1.5}, "samples=1.5: expected a whole number"),
        (api.PullOptions, {"hours": "2"}, "hours='2': expected a number"),
        (api.PullOptions, {"split": 3}, "split=3: expected text, or a list"),
        (api.PullOptions, {"split": ["a", 3]}, "split=3: expected text"),
        (api.PullOptions, {"ids": 3}, "ids=3: expected a path"),
        (api.PullOptions, {"from_path": ""}, "--from is empty: a path is expected"),
        (api.PullOptions, {"link": "yes"}, "link='yes': expected True or False"),
        (api.PullOptions, {"sample": 3}, "no option 'sample'. did you mean samples?"),
        (api.PullOptions, {"retry": "nonsense"}, "--retry nonsense: no such reason. one of dead"),
        (api.PullOptions, {"as_config": "x"}, "--as names the release in --from"),
        (api.PullOptions, {"from_path": "/nowhere"}, "--from /nowhere: there is no such file"),
        (api.ExportOptions, {"order": "date"}, "--order takes hash or id, not 'date'"),
        (api.ExportOptions, {"media_root": "relative"}, "must be an absolute path"),
        (api.ImportOptions, {}, "name must be given"),
        (api.ImportOptions, {"name": "x", "columns": "a=b"}, "columns='a=b': expected a mapping"),
        (api.ImportOptions, {"name": "x", "on_conflict": "ask"}, "--on-conflict takes reject or update, not 'ask'"),
        (api.ConvertOptions, {"seed": 1}, "--seed requires --max-samples"),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named_with_its_option(
    model: type[Options], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(triptych.UsageError) as caught:
        model.of(**given)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_values_of_python_types_are_taken_as_such(tmp_path: Path) -> None:
    import numpy as np

    options = api.PullOptions.of(samples=np.int64(3), hours=2, cards=tmp_path, split=("a", "b"))
    assert (options.samples, options.subset.hours, options.cards, options.splits) == (3, 2.0, (tmp_path,), ("a", "b"))
    assert type(options.samples) is int and type(options.subset.hours) is float
    assert api.PullOptions.of(cards=[str(tmp_path), tmp_path]).cards == (tmp_path, tmp_path)
    assert api.ImportOptions.of(name="x", values={"start_s": 0.5}).values == {"start_s": "0.5"}


@pytest.mark.parametrize(
    "words",
    [
        ["--retry", "nonsense"], ["--by", "hash"], ["--by", "chance", "--samples", "1"], ["--jobs", "0"],
        ["--from", "/nowhere"], ["--as", "x"], ["--cookies", "/nowhere"], ["--proxy", "host:1"], ["--part", "5/4"],
        ["--balance", "duration", "--samples", "1"], ["--split", "nosuch"], ["--config", "nosuch"],
        ["--source", "nosuch"], ["--where", "nobody = 1"], ["--hours", "-1"], ["--labels", "a,,b"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_dry_run_refuses_what_the_pull_refuses(words: list[str], tmp_path: Path) -> None:
    said = []
    for more in ([], ["--dry-run"]):
        done = run("triptych", "catalog", "pull", "demo-speech", *words, *more, "--store", tmp_path / "s")
        assert (done.code, done.stdout) == (2, ""), done.stderr
        said.append(done.stderr)
    assert said[0] == said[1] and not (tmp_path / "s").exists()


def test_an_option_of_a_model_inside_another_is_flat_outside(tmp_path: Path) -> None:
    class Told(Exception):
        pass

    @takes(api.PullOptions)
    def told(options: api.PullOptions, names: list[str] | None = None) -> None:
        raise Told(options)

    with pytest.raises(Told) as caught:
        table.command("told", told).main(
            ["--max-tries", "7", "--retry", "dead,private", "--retry", "live"], standalone_mode=False
        )
    [options] = caught.value.args
    assert options.subset.max_tries == 7 and options.clips.retry == {"dead", "private", "live"}


NEW = """    loudness: Annotated[float | None, Option("Loudness to write, in LUFS.", TEXT)] = None
"""


def test_a_new_option_is_one_line_and_is_found_everywhere(tmp_path: Path) -> None:
    """In a copy of the package, with one line added."""
    copy = tmp_path / "triptych"
    copy.mkdir()
    for path in ROOT.iterdir():
        if (path.is_dir() and (path / "__init__.py").is_file()) or path.name == "docs":
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.suffix == ".py":
            shutil.copy(path, copy)
    model = copy / "converters" / "export" / "options.py"
    text = model.read_text()
    assert text.count("    seed: Annotated[") == 1
    model.write_text(text.replace("    seed: Annotated[", f"{NEW}    seed: Annotated[", 1))

    def run(code: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    help = run("import sys; sys.argv = ['triptych', 'export', '--help']; from triptych.cli import main; main()")
    assert "--loudness X" in help and "Loudness to write, in LUFS." in help
    shown = run("import triptych, inspect; print(inspect.signature(triptych.export)); print(triptych.export.__doc__)")
    assert "loudness: float | None = None" in shown and "loudness: Loudness to write, in LUFS." in shown
    run("from triptych.commands.reference import main; main()")
    assert "    loudness: float | None\n" in (copy / "options/arguments.py").read_text()
    assert "| `--loudness X` | Loudness to write, in LUFS. |" in (copy / "docs" / "commands.md").read_text()
    kept = run(
        "import triptych\n"
        "triptych.pull('demo-speech', samples=1, store='s')\n"
        "triptych.export('unified', loudness=-23, store='s')\n"
        "print(triptych.query(\"select options from runs where stage = 'export'\", store='s').to_pylist())"
    )
    assert '"loudness": -23.0' in kept


def test_fields_without_an_option_are_for_the_program_alone() -> None:
    shown = {each.path[0] for each in parameters(api.PullOptions)}
    assert {field.name for field in fields(api.PullOptions)} - shown == {"on_samples", "on_bytes"}
    assert isinstance(parameters(api.PullOptions)[0].option, Option)
