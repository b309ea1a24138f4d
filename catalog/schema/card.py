"""The card model: one YAML file that describes one dataset.

Unknown keys are errors. Sources are defined in `source.py` and their files in `files.py`; `lint.py` loads and checks a
card file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...errors import UsageError, did_you_mean
from ...shards.sample import MODALITIES, PANEL_OF_MODALITY
from .promises import Promises
from .source import CardModel, ConfigName, Gate, Language, Name, SourceCard, Task

Role = Literal["train", "validation", "test"]


class Scale(CardModel):
    """The size of the whole dataset, as far as it is known."""

    hours: float | None = Field(default=None, ge=0)
    samples: int | None = Field(default=None, ge=0)
    speakers: int | None = Field(default=None, ge=0)
    bytes: int | None = Field(default=None, ge=0)


class ConfigCard(CardModel):
    """One configuration of a dataset: a language, a subset, a release.

    Attributes:
        default: Used if no `--config` is given.
        language, target_language, license, task: Override the values of the card.
    """

    default: bool = False
    language: Language | None = None
    target_language: Language | None = None
    license: str | None = None
    task: Task | None = None
    scale: Scale = Scale()
    note: str | None = None


class EvaluationList(CardModel):
    """A published list of samples used for evaluation, each with its reference.

    Attributes:
        url: JSON Lines with the fields `audio`, `prompt`, `gt` and `source`.
        audio: Template of the path in `audio`; its placeholders identify the sample (`{id}`, `{split}`, `{config}`).
        source: Value of `source` in this dataset's rows, if the list also covers other datasets; `*` matches any
            characters.
        config: The configuration of the listed samples, if ids are not unique across configurations.
    """

    url: str
    audio: str
    sha256: str | None = None
    source: str | list[str] | None = None
    config: str | None = None
    note: str | None = None


Place = Annotated[str, Field(min_length=1)]


class Card(CardModel):
    """One dataset of the catalog.

    Attributes:
        seen: Where each fact was read: a recipe or a page. Facts that are not named are unseen (see `facts.py`).
        recipes: The field's own recipes that a pull was compared with, and how samples differ from theirs on purpose.
    """

    name: Name
    title: str
    panel: Literal["S1", "S2", "S3"]
    modality: str
    tasks: list[Task] = Field(min_length=1)
    languages: list[Language] = Field(default_factory=list)
    license: str
    homepage: str | None = None
    citation: str | None = None
    gate: Gate | None = None
    scale: Scale = Scale()
    case: Literal["upper"] | None = None
    splits: dict[Name, Role]
    promises: Promises = Field(default_factory=list)
    configs: dict[ConfigName, ConfigCard] = Field(default_factory=dict)
    sources: list[SourceCard] = Field(min_length=1)
    evaluation: dict[Name, EvaluationList] = Field(default_factory=dict)
    layout: str | None = None
    tested: str | None = None
    untested: str | None = None
    seen: dict[str, Place] = Field(default_factory=dict)
    recipes: dict[str, Place] = Field(default_factory=dict)
    pitfalls: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Card:
        if self.modality not in MODALITIES:
            raise ValueError(f"modality must be one of {', '.join(MODALITIES)}")
        if not self.splits:
            raise ValueError("a dataset needs at least one split")
        return self

    @property
    def is_gated(self) -> bool:
        """Whether every source is gated or must be downloaded manually."""
        return all(self.gate_of(source) is not None or source.manual is not None for source in self.sources)

    def gate_of(self, source: SourceCard) -> Gate | None:
        """Return the gate of a source; None if it is open."""
        if source.gate == "open" or source.synthetic is not None:
            return None
        return source.gate or self.gate

    @property
    def only_split(self) -> str | None:
        """The split of every sample, if the corpus has one split."""
        return next(iter(self.splits)) if len(self.splits) == 1 else None

    def promised(self, split: str) -> Sequence[str]:
        """Return the fields that every sample of a split has."""
        return self.promises.get(split, ()) if isinstance(self.promises, dict) else self.promises

    def speaks(self, language: str) -> bool:
        """Whether the dataset has a language; `zh` also matches all of its variants."""
        wanted = language.lower()
        spoken = [*self.languages, *(each.language for each in self.configs.values() if each.language)]
        return any(tag.lower() == wanted or tag.lower().startswith(f"{wanted}-") for tag in spoken)

    def chosen_splits(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Return the splits requested by name or role, in the card's order; default: all.

        Raises:
            UsageError: The dataset has no such split.
        """
        for split in asked:
            if split not in self.splits and split not in self.splits.values():
                raise UsageError(
                    f"{self.name} has no split {split!r}. Splits: {', '.join(self.splits)}; "
                    f"roles: {', '.join(dict.fromkeys(self.splits.values()))}.",
                    hint=did_you_mean(split, [*self.splits, *dict.fromkeys(self.splits.values())]),
                )
        return tuple(name for name, role in self.splits.items() if not asked or name in asked or role in asked)

    def chosen_configs(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Return the requested configurations, in the card's order; default: those marked as default on the card.

        Raises:
            UsageError: The dataset has no such configuration, or has several and none of them is the default.
        """
        shown = ", ".join(list(self.configs)[:40]) + (" ..." if len(self.configs) > 40 else "")
        for config in asked:
            if config not in self.configs:
                known = f"Configurations: {shown}." if self.configs else "It has no configurations."
                # Of a corpus without them, a release or a language is chosen by its column.
                by_column = f"""samples by a column: --where "language = '{config}'\""""
                hint = did_you_mean(config, self.configs) if self.configs else by_column
                raise UsageError(f"{self.name} has no configuration {config!r}. {known}", hint=hint)
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
        """Return the column values shared by all samples of the dataset, or of one configuration."""
        config_card = self.configs.get(config or "", ConfigCard())
        return {
            # Not the panel of the card, among whose datasets it is listed: VoxCeleb is with S3 and mostly sound alone.
            "panel": PANEL_OF_MODALITY.get(self.modality, self.panel),
            "modality": self.modality,
            "task": config_card.task or self.tasks[0],
            "language": config_card.language or (self.languages[0] if len(self.languages) == 1 else None),
            "target_language": config_card.target_language,
            "license": config_card.license or self.license,
        }
