"""Recipes: one YAML file that says all of an export, to be kept in git.

    view: msswift                         # or the path of your own view, from the recipe's folder
    task: sft
    datasets:                             # a list of names, or for each its share and its filter
      librispeech: {share: 0.7, where: "audio.duration < 20"}
      aishell1: {share: 0.3}
    samples: 10000
    shares: {complexity: {simple: 3, complex: 7}}
    seed: 7

Every option of `export` is a key, under its name in Python; `mix` and `shares` may be mappings. An unknown key, a wrong
value or a contradiction is an error with its line. The filters of datasets become one expression, and their shares the
mix. Options of the command line are added to those of the recipe; one that says otherwise is an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, create_model

from ...errors import UsageError
from ...options import Parameter, parameters
from ...shards.query import check_where
from ...shards.store.sql import quote
from ...shards.strict_yaml import Lines, read_yaml, yaml_text
from ...shards.yaml_problems import problem_of
from ..export.options import ExportOptions
from ..views.base import View

_NOT_IN_RECIPES = ("recipe",)
_OF_THIS_MACHINE = ("recipe", "media_root", "note")
"""Options that do not say what the rows are."""


class DatasetPart(BaseModel):
    """One dataset of a recipe: its share, and which of its samples."""

    model_config = ConfigDict(extra="forbid", strict=True)

    share: Annotated[float | None, Field(gt=0)] = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe.

    Attributes:
        given: The options that it sets, by their names in Python, as users give them.
    """

    path: Path
    view: str
    given: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=dict)

    def names(self, view: str | os.PathLike[str]) -> bool:
        """Whether the recipe is one of this view: of that name, or of that file, which it names from its folder."""
        if not self.view.endswith(".sql"):
            return self.view == str(view)
        places = (Path(view), self.path.parent / view)
        return any(place.resolve() == Path(self.view).resolve() for place in places)

    def options(self) -> ExportOptions:
        return ExportOptions.of(**self.given)


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        UsageError: It is invalid; the message lists every problem with its line.
    """
    document = read_yaml(path, noun="recipe")
    if not isinstance(document.value, Mapping):
        raise UsageError(f"{path}: a recipe is a mapping that begins with the view.", hint="view: unified")
    try:
        found = _model().model_validate(document.value)
    except ValidationError as error:
        problems = [problem_of(path, item, document.lines, noun="recipe") for item in error.errors()]
        raise UsageError("\n".join(problems), hint="docs/how-to/mix-datasets.md has a recipe") from error
    given = {name: getattr(found, name) for name in document.value if name != "view"}
    view = str(found.view)  # type: ignore[attr-defined]
    if view.endswith(".sql") and not Path(view).is_absolute():
        view = str(path.parent / view)
    datasets = given.pop("datasets", None)
    if datasets is not None:
        _add_datasets(path, document.lines, datasets, given)
    recipe = Recipe(path, view, given, document.lines)
    try:
        recipe.options()
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from error
    return recipe


@lru_cache(maxsize=1)
def _model() -> type[BaseModel]:
    """The model of recipes: a key for each option of `export`, checked as the option is."""
    keys: dict[str, Any] = {
        each.name: (Annotated[Any, PlainValidator(_checker(each))], None)
        for each in parameters(ExportOptions)
        if each.name not in _NOT_IN_RECIPES
    }
    keys["datasets"] = (Annotated[Any, PlainValidator(_read_datasets)], None)
    model: type[BaseModel] = create_model(
        "RecipeFile", __config__=ConfigDict(extra="forbid", strict=True), view=(str, ...), **keys
    )
    return model


def _checker(option: Parameter) -> Any:
    def check(value: Any) -> Any:
        given = _as_text(option.name, value)
        try:
            option.check(option.convert(given))
        except UsageError as error:
            raise ValueError(error.message) from error
        return given

    return check


def _as_text(name: str, value: Any) -> Any:
    """The value as the option takes it: mappings of shares as their text."""
    if name == "mix" and isinstance(value, Mapping):
        return _shares_text(value)
    if name == "shares" and isinstance(value, Mapping):
        return [
            f"{each}:{_shares_text(shares) if isinstance(shares, Mapping) else shares}"
            for each, shares in value.items()
        ]  # fmt: skip
    return value


def _shares_text(shares: Mapping[Any, Any]) -> str:
    return ",".join(f"{name}={share}" for name, share in shares.items())


def _read_datasets(value: Any) -> dict[str, DatasetPart]:
    """A list of names, or a mapping of names to what is taken of each."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: DatasetPart() for name in value}
    if not isinstance(value, Mapping) or not value:
        raise ValueError("expected a list of names, or a mapping of names to {share, where}")
    found = {}
    for name, part in value.items():
        try:
            found[str(name)] = DatasetPart.model_validate(part or {})
        except ValidationError as error:
            [first, *_] = error.errors()
            key = ".".join(map(str, (name, *first["loc"])))
            word = "unknown key; the keys are share and where" if first["type"] == "extra_forbidden" else first["msg"]
            raise ValueError(f"{key}: {word}") from error
    return found


def _add_datasets(path: Path, lines: Lines, datasets: Mapping[str, DatasetPart], given: dict[str, Any]) -> None:
    """Set the options that `datasets` stands for."""
    where = f"{path}:{lines.get(('datasets',), 1)}: datasets"
    for key in ("dataset", "mix"):
        if key in given:
            raise UsageError(f"{where}: {key} says the same: give one of them.")
    with_share = [name for name, part in datasets.items() if part.share is not None]
    if with_share and len(with_share) < len(datasets):
        without = next(name for name in datasets if name not in with_share)
        raise UsageError(f"{where}: {without} has no share, and others have one.")
    if with_share:
        given["mix"] = ",".join(f"{name}={part.share!r}" for name, part in datasets.items())
    else:
        given["dataset"] = list(datasets)
    filters = {name: part.where for name, part in datasets.items() if part.where is not None}
    for name, expression in filters.items():
        check_where(expression, flag=f"{where}.{name}.where")
    if filters:
        cases = " ".join(f"WHEN {quote(name)} THEN {_enclosed(each)}" for name, each in filters.items())
        own = f"CASE dataset {cases} ELSE true END"
        given["where"] = f"{_enclosed(given['where'])} AND {own}" if "where" in given else own


def _enclosed(expression: str) -> str:
    """The expression in parentheses, which a comment at its end must not swallow."""
    return f"({expression}\n)" if "--" in expression else f"({expression})"


def resolve(
    view: str | os.PathLike[str] | None, options: ExportOptions
) -> tuple[str | os.PathLike[str], ExportOptions]:
    """The view and the options of a request, with those of its recipe if it names one.

    Raises:
        UsageError: The recipe is invalid, an option contradicts it, or nothing names a view.
    """
    if options.recipe is None:
        if view is None:
            raise UsageError("export needs a view.", hint="triptych export unified, or --recipe FILE")
        return view, options
    recipe = read_recipe(options.recipe)
    if view is not None and not recipe.names(view):
        line = recipe.lines.get(("view",), 1)
        raise UsageError(f"The view {str(view)!r} contradicts {recipe.path}:{line}: view: {recipe.view}.")
    stated = recipe.options()
    for option in parameters(ExportOptions):
        asked, said = options.value(option), stated.value(option)
        if asked != option.default and option.name in recipe.given and asked != said:
            line = recipe.lines.get((option.name,), recipe.lines.get(("datasets",), 1))
            raise UsageError(
                f"{option.flag} {asked} contradicts {recipe.path}:{line}: {option.name}: {said}.",
                hint="change the recipe, or leave the option out",
            )
    return recipe.view, options.over(stated)


def recipe_of(view: View, options: ExportOptions) -> dict[str, Any]:
    """The recipe of a request, for its manifest: what its rows are, on whatever machine."""
    name = view.name if view.built_in else f"./{view.file_name}"
    asked = {name: value for name, value in options.asked().items() if name not in _OF_THIS_MACHINE}
    return {"view": name, **asked}


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """A recipe as YAML."""
    return yaml_text(dict(recipe))
