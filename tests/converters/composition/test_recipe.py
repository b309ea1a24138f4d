"""A recipe says all of an export: strict YAML, the same bytes again, and no contradiction on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import cli
from triptych.converters.composition.recipe import read_recipe, resolve
from triptych.converters.export.options import ExportOptions
from triptych.errors import UsageError

DATASETS = ("a", "b", "c", "d", "e")
RECIPE = """\
view: unified
name: training
split: train
datasets:
  a: {share: 0.4, where: "text <> 'text number 1'  -- noise"}
  b: {share: 0.3}
  c: {share: 0.1}
  d: {share: 0.1, where: language = 'en'}
  e: {share: 0.1}
where: id <> 'b/train/utt100'
limit: {speaker: 4}
samples: 10
seed: 3
"""


def bring_in(folder: Path, names: tuple[str, ...], clips: Path) -> Path:
    for name in names:
        rows = imported.speech_rows(clips, 6, start=100 * DATASETS.index(name), speaker="s", split="train")
        imported.bring_in(folder / "store", name, rows, folder)
    return folder / "store"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    return bring_in(tmp_path_factory.mktemp("recipe"), DATASETS, clips)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_of_five_datasets_gives_the_same_bytes_on_another_machine(
    store: Path, clips: Path, tmp_path: Path
) -> None:
    recipe = write(tmp_path, RECIPE)
    here = triptych.export(recipe=recipe, store=store)
    there = triptych.export(recipe=recipe, store=bring_in(tmp_path / "other", DATASETS[::-1], clips))
    assert here.version.reference == "training@v1" and here.counts["written"] == 10
    assert here.version.manifest["content_sha256"] == there.version.manifest["content_sha256"]
    ids = {row["id"] for row in imported.read_lines(here.version.data)}
    assert {"a/train/utt001", "b/train/utt300"}.isdisjoint(ids)
    assert [sum(each.startswith(name) for each in ids) for name in DATASETS] == [4, 3, 1, 1, 1]
    assert triptych.export(recipe=recipe, store=store).reused


def test_the_recipe_of_a_version_makes_it_again(store: Path, tmp_path: Path) -> None:
    view = tmp_path / "mine.sql"
    view.write_text("SELECT id, text, audio_paths[1] AS audio FROM prepared")
    made = triptych.export(view, store=store, balance="dataset", shares="length:short=1", samples=8, note="a remark")
    shown = cli("exports", "show", "mine", "--recipe", "--store", store)
    assert "put it beside the recipe" in shown.stderr and "remark" not in shown.stdout
    again = triptych.export(recipe=write(tmp_path, shown.stdout), store=store)
    assert again.reused and again.version.reference == made.version.reference


def test_options_are_added_but_may_not_contradict(store: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, RECIPE)
    assert triptych.export(recipe=recipe, note="mine", samples=10, store=store).version.name == "training"
    for options, said in (
        ({"seed": 4}, r"seed=4 contradicts .*recipe.yaml:13: seed: 3"),
        ({"dataset": "a"}, "a|b is not among"),
        ({"mix": "a=1"}, r"mix= a=1 contradicts .*recipe.yaml:4: mix: a=0.4"),
        ({"view": "msswift"}, r"view 'msswift' contradicts .*recipe.yaml:1"),
    ):
        with pytest.raises(UsageError, match=said):
            triptych.export(recipe=recipe, store=store, **options)
    with pytest.raises(UsageError, match="needs a view"):
        triptych.export(store=store)


def test_a_recipe_is_one_of_its_view_from_whatever_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "built_in.yaml").write_text("view: msswift\ntask: sft\n")
    (folder / "own.yaml").write_text("view: mine.sql\n")
    for place, before in ((folder, Path()), (tmp_path, Path("recipes"))):
        monkeypatch.chdir(place)
        built_in, own = (ExportOptions(recipe=before / name) for name in ("built_in.yaml", "own.yaml"))
        assert resolve("msswift", built_in)[0] == "msswift"
        for same in ("mine.sql", before / "mine.sql", folder / "mine.sql"):
            assert resolve(same, own)[0] == str(before / "mine.sql")
        for view, options in (("hf", built_in), ("hf", own), (tmp_path / "mine.sql", own), ("other.sql", own)):
            with pytest.raises(UsageError, match="contradicts"):
                resolve(view, options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a mapping that begins with the view"),
        ("task: sft\n", "recipe.yaml:1: view: this key is missing"),
        ("view: unified\nsed: 3\n", "recipe.yaml:2: sed: unknown key"),
        ("view: unified\n\nseed: many\n", "recipe.yaml:3: seed: "),
        ("view: unified\nsamples: 0\n", "recipe.yaml:2: samples: .*at least 1"),
        ("view: unified\norder: sideways\n", "recipe.yaml:2: order: "),
        ("view: unified\ndatasets: {a: {shar: 1}}\n", "recipe.yaml:2: datasets: a.shar: unknown key"),
        ("view: unified\ndatasets: {a: {share: -1}}\n", "recipe.yaml:2: datasets: a.share"),
        ("view: unified\ndatasets: {a: {share: 1}, b: }\n", "b has no share"),
        ("view: unified\ndatasets: [a]\nmix: a=1\n", "mix says the same"),
        ("view: unified\ndatasets: {a: {where: random() > 0}}\n", "datasets.a.where .* not deterministic"),
        ("view: unified\noversample: true\n", "recipe.yaml: --oversample"),
        ("view: unified\nview: msswift\n", "recipe.yaml:2: duplicate key"),
        ("view: unified\nrecipe: other.yaml\n", "recipe.yaml:2: recipe: unknown key"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_an_error_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_recipe(write(tmp_path, text))


def test_every_option_of_an_export_may_stand_in_a_recipe(tmp_path: Path) -> None:
    text = """\
view: msswift
task: grpo
dataset: [a, b]
split: [train]
no_split: drop
where: "true"
include_rejected: true
mix: {a: 7, b: 3}
mix_by: hours
hours: 1.5
oversample: true
balance: [language]
shares: {complexity: {simple: 3, complex: 7}, length: "short=1,long=1"}
bucket: 5
limit: {speaker: 10}
broken_splits: drop
order: hash
text: lower
system: Be brief.
av: in-video
media_root: /data
note: a remark
"""
    options: Any = read_recipe(write(tmp_path, text)).options()
    composition = options.composition
    assert (options.task, options.datasets, options.where) == ("grpo", ("a", "b"), "true")
    assert str(composition.mix) == "a=7,b=3" and composition.limit == {"speaker": 10} and composition.bucket == 5.0
    assert [str(each) for each in composition.shares] == ["complexity:simple=3,complex=7", "length:short=1,long=1"]
