"""The phones that a model learns to say, as tokens of its tokenizer.

    ah            <ph_ah>       one token for each phone: never a part of a word in a prompt, as a token `ah` would be
                  <PH_START>    before the first phone
                  <PH_END>      after the last one
                  <PH_SOUND>    stands for one frame of sound; its place is taken by what the encoder heard

A folder of `triptych phoneme build-vocabulary` holds the extended tokenizer and `phones.json`: the phones in the order
in which the export has them first, with their counts.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import DamagedError, UsageError
from ...shards.phones import OWN, SILENCE
from ...shards.store.store import Store
from ..data.bad_rows import BadRow
from ..data.training_rows import TrainingRows
from ..models.model_loading import check_tokenizer, damage_of, quiet_transformers

START, END, SOUND = "<PH_START>", "<PH_END>", "<PH_SOUND>"
OTHERS = 3
"""Tokens before those of phones."""

FILE = "phones.json"
FORMAT = 1

_RESERVED = ("<ph_", "<PH_")


def token_of(phone: str) -> str:
    """The token of a phone."""
    return f"<ph_{phone}>"


@dataclass(frozen=True, slots=True)
class Said:
    """What rows ask and answer.

    Attributes:
        counts: The words of their answers, in the order in which they come first.
        phone_set: The set that they say they are of.
        questions: What is asked, each once.
    """

    counts: Mapping[str, int]
    phone_set: str
    questions: tuple[str, ...]

    @classmethod
    def of(cls, rows: TrainingRows) -> Said:
        """Read all rows; those that cannot be trained on are named where rows are measured."""
        counts: Counter[str] = Counter()
        sets: set[str] = set()
        questions: dict[str, None] = {}
        for number in range(len(rows)):
            try:
                row = rows[number]
            except BadRow:
                continue
            counts.update(row.turns[-1].text.split())
            sets.add(str(row.columns.get("phone_set", OWN)))
            questions[row.turns[0].text.strip()] = None
        found = sets.pop() if len(sets) == 1 else OWN
        return cls(counts, found if found in SILENCE else OWN, tuple(questions))


@dataclass(frozen=True, slots=True)
class PhoneVocabulary:
    """The phones of an export.

    Attributes:
        phones: Their labels, in the order in which rows have them first.
        phone_set: The set that they are of: `39`, `48`, `61`, or `own` labels.
        counts: How often rows have them.
        rare: Labels that are no phones of it, since too few rows have them.
    """

    phones: tuple[str, ...]
    phone_set: str = OWN
    counts: Mapping[str, int] = field(default_factory=dict, compare=False)
    rare: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def tokens(self) -> tuple[str, ...]:
        """All tokens, those of boundaries and sound first."""
        return (START, END, SOUND, *map(token_of, self.phones))

    @property
    def silence(self) -> frozenset[str]:
        """The labels of silence among them."""
        return frozenset(phone for phone in self.phones if phone.lower() in SILENCE[self.phone_set])

    @property
    def sha256(self) -> str:
        """The SHA-256 of its tokens, in their order."""
        return hashlib.sha256("\n".join(self.tokens).encode()).hexdigest()

    def text_of(self, phones: Iterable[str]) -> str:
        """Phones as their tokens.

        Raises:
            BadRow: `unknown_phone`.
        """
        found = list(phones)
        known = set(self.phones)
        for phone in found:
            if phone not in known:
                why = f"it is there {self.rare[phone]} times only" if phone in self.rare else "no training row has it"
                raise BadRow("unknown_phone", f"{phone!r} is no phone of the vocabulary: {why}")
        return "".join(map(token_of, found))

    # ---- making and reading

    @classmethod
    def of_export(cls, rows: TrainingRows, *, min_freq: int = 1, said: Said | None = None) -> PhoneVocabulary:
        """The phones of all rows: the words of their answers.

        Args:
            said: What the rows say, where it is known.
            min_freq: How often a label must be there to be a phone.

        Raises:
            UsageError: No label is there so often; or a label is a token already.
        """
        said = said or Said.of(rows)
        counts = said.counts
        kept = {phone: count for phone, count in counts.items() if count >= min_freq}
        if not kept:
            raise UsageError(
                f"{rows.where}: no phone is there {min_freq} times or more.", hint="export phones: the view phoneme"
            )
        if len(kept) > MOST:
            raise UsageError(
                f"{rows.where}: {len(kept):,} different words in its answers: they are no phones.",
                hint="export phones: triptych export phoneme",
            )
        if reserved := [phone for phone in kept if any(mark in phone for mark in _RESERVED)]:
            raise UsageError(f"{rows.where}: {reserved[0]!r} is how a token of phones is written, not a phone.")
        rare = {phone: count for phone, count in counts.items() if count < min_freq}
        return cls(tuple(kept), said.phone_set, kept, rare)

    @classmethod
    def open(cls, folder: Path) -> PhoneVocabulary:
        """Read the vocabulary of a folder.

        Raises:
            UsageError: There is none.
            DamagedError: It cannot be read.
        """
        path = folder / FILE
        if not path.is_file():
            raise UsageError(
                f"{folder}: there is no vocabulary of phones in it ({FILE}).",
                hint="triptych phoneme build-vocabulary EXPORT --model MODEL --out DIR",
            )
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise UsageError(f"{path}: format {told['format']}; this version reads {FORMAT}.", hint="build it anew")
            made = cls(tuple(told["phones"]), told["set"], told["phones"], told["rare"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"{path}: it cannot be read: {error}.", hint="build it anew") from error
        return made

    def save(self, folder: Path, tokenizer: Any, *, about: Mapping[str, Any] | None = None) -> None:
        """Write the vocabulary and the extended tokenizer into a folder.

        Args:
            about: What else is worth keeping: the export, the base.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with quiet_transformers():
            tokenizer.save_pretrained(folder)
        told = {"format": FORMAT, "set": self.phone_set, "phones": {phone: self.counts.get(phone, 0) for phone in
                self.phones}, "silence": sorted(self.silence), "rare": dict(self.rare), **(about or {})}  # fmt: skip
        (folder / FILE).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    # ---- the tokenizer

    def extended(self, folder: Path) -> Any:
        """The tokenizer of a folder with these tokens; those that it has already stay as they are.

        Raises:
            UsageError: A token is read as several.
            DamagedError: The tokenizer cannot be read.
        """
        from transformers import AddedToken, AutoTokenizer

        with quiet_transformers(), damage_of(folder):
            tokenizer = AutoTokenizer.from_pretrained(folder)
        check_tokenizer(tokenizer, folder)
        known = tokenizer.get_vocab()
        new = [AddedToken(token, normalized=False, special=False) for token in self.tokens if token not in known]
        tokenizer.add_tokens(new)
        if tokenizer("".join(self.tokens), add_special_tokens=False)["input_ids"] != self.ids(tokenizer):
            raise UsageError(f"{folder}: its tokenizer does not read tokens that are added to it as they are.")
        return tokenizer

    def ids(self, tokenizer: Any) -> list[int]:
        """The numbers of the tokens, in their order."""
        found: list[int] = tokenizer.convert_tokens_to_ids(list(self.tokens))
        return found


MOST = 4096
"""Labels from which they are no phones: the words of a language."""


def check_prompt(text: str) -> None:
    """Raise BadRow (`phone_token`): what stands for a phone or for sound in a prompt would be one to the model."""
    if any(mark in text for mark in _RESERVED):
        raise BadRow("phone_token", f"{text!r:.80} holds a token of phones or sound; ask something else")


def rows_of(reference: str, *, store: Store | Path | str | None, allow_held_out: bool = False) -> TrainingRows:
    """The rows of an export of phones, for `triptych phoneme build-vocabulary`.

    Raises:
        UsageError: There is none, or its rows are no conversations about one clip each.
    """
    return TrainingRows.open(reference, store=store, allow_held_out=allow_held_out, flag="--allow-held-out")
