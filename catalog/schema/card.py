"""The card: one YAML file that describes one dataset, as a model.

Unknown keys are errors. Where the data comes from is described in `source.py`, which files that are in `files.py`; a
file is read and checked in `lint.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from ...errors import UsageError
from ...shards.sample import MODALITIES
from .source import CardModel, ConfigName, Gate, Language, Name, SourceCard

Role = Literal["train", "validation", "test"]


class Scale(CardModel):
    """How large the whole dataset is, where somebody counted."""

    hours: float | None = Field(default=None, ge=0)
    samples: int | None = Field(default=None, ge=0)
    speakers: int | None = Field(default=None, ge=0)
    bytes: int | None = Field(default=None, ge=0)


class ConfigCard(CardModel):
    """One configuration of a dataset: a language, a subset, a release.

    Attributes:
        default: Taken where no `--config` is given.
        language, target_language, license, task: What differs from the card.
    """

    default: bool = False
    language: Language | None = None
    target_language: Language | None = None
    license: str | None = None
    task: str | None = None
    scale: Scale = Scale()
    note: str | None = None


class EvaluationList(CardModel):
    """A published list that says which samples somebody evaluates on, and against which reference.

    Attributes:
        url: JSON Lines with the fields `audio`, `prompt`, `gt` and `source`.
        audio: Template of the path in `audio`; its parts name the sample (`{id}`, `{split}`, `{config}`).
        source: Value of `source` in the rows of this dataset, where the list holds others too; `*` stands for any
            characters.
        config: The configuration whose samples it names, where a sample's own id repeats from one to the other.
    """

    url: str
    audio: str
    sha256: str | None = None
    source: str | list[str] | None = None
    config: str | None = None
    note: str | None = None


class Card(CardModel):
    """One dataset of the catalog."""

    name: Name
    title: str
    panel: Literal["S1", "S2", "S3"]
    modality: str
    tasks: list[str] = Field(min_length=1)
    languages: list[Language] = Field(default_factory=list)
    license: str
    homepage: str | None = None
    citation: str | None = None
    gate: Gate | None = None
    scale: Scale = Scale()
    case: Literal["upper"] | None = None
    splits: dict[Name, Role]
    configs: dict[ConfigName, ConfigCard] = Field(default_factory=dict)
    sources: list[SourceCard] = Field(min_length=1)
    evaluation: dict[Name, EvaluationList] = Field(default_factory=dict)
    layout: str | None = None
    tested: str | None = None
    untested: str | None = None
    pitfalls: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Card:
        if self.modality not in MODALITIES:
            raise ValueError(f"modality is one of {', '.join(MODALITIES)}")
        if not self.splits:
            raise ValueError("a dataset has at least one split")
        return self

    @property
    def is_gated(self) -> bool:
        """Whether every source has a gate before it, or must be got by hand."""
        return all(self.gate_of(source) is not None or source.manual is not None for source in self.sources)

    def gate_of(self, source: SourceCard) -> Gate | None:
        """The gate before a source; None where it is open."""
        if source.gate == "open" or source.synthetic is not None:
            return None
        return source.gate or self.gate

    def speaks(self, language: str) -> bool:
        """Whether the dataset has a language; `zh` stands for all of its variants too."""
        wanted = language.lower()
        spoken = [*self.languages, *(each.language for each in self.configs.values() if each.language)]
        return any(tag.lower() == wanted or tag.lower().startswith(f"{wanted}-") for tag in spoken)

    def chosen_splits(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The splits that were asked for by name or role, in the card's order; default: all.

        Raises:
            UsageError: The dataset has no such split.
        """
        for split in asked:
            if split not in self.splits and split not in self.splits.values():
                raise UsageError(
                    f"{self.name} has no split {split!r}. Splits: {', '.join(self.splits)}; "
                    f"roles: {', '.join(dict.fromkeys(self.splits.values()))}."
                )
        return tuple(name for name, role in self.splits.items() if not asked or name in asked or role in asked)

    def chosen_configs(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The configurations that were asked for, in the card's order; default: those that the card marks so.

        Raises:
            UsageError: The dataset has no such configuration, or has several and none of them is the default.
        """
        shown = ", ".join(list(self.configs)[:40]) + (" ..." if len(self.configs) > 40 else "")
        for config in asked:
            if config not in self.configs:
                known = f"Configurations: {shown}." if self.configs else "It has no configurations."
                raise UsageError(f"{self.name} has no configuration {config!r}. {known}")
        if asked:
            return tuple(name for name in self.configs if name in asked)
        if not self.configs:
            return ()
        chosen = tuple(name for name, config in self.configs.items() if config.default)
        if not chosen:
            raise UsageError(
                f"{self.name} is pulled by configuration. Configurations: {shown}.",
                hint=f"triptych catalog pull {self.name} --config {next(iter(self.configs))} --samples 100",
            )
        return chosen

    def defaults(self, config: str | None = None) -> dict[str, Any]:
        """The columns that every sample of the dataset, or of a configuration of it, shares."""
        of_config = self.configs.get(config or "", ConfigCard())
        return {
            "panel": self.panel,
            "modality": self.modality,
            "task": of_config.task or self.tasks[0],
            "language": of_config.language or (self.languages[0] if len(self.languages) == 1 else None),
            "target_language": of_config.target_language,
            "license": of_config.license or self.license,
        }
