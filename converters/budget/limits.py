"""`Limits`: what a request says of how long rows may be, resolved and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.budgets import MODELS, Model
from ...shards.budgets.text import tokenizer_file

CONVERSATIONS = ("messages", "conversations", "prompt")
"""Columns with the turns of a conversation, or those before its answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request says of budgets; part of an export's identity.

    Attributes:
        model: A key of `MODELS`; None: only seconds are counted.
        long: What becomes of rows with a clip that the model's extractor would cut: `keep`, `reject` or `window`.
        required: Whether rows need their tokens: one whose tokens are unknown is left out.
        tokenizer, tokenizer_sha256: The user's tokenizer.json; None: the built-in vocabulary.
    """

    model: str | None = None
    max_tokens: int | None = None
    max_seconds: float | None = None
    long: str = "keep"
    tokenizer: str | None = None
    tokenizer_sha256: str | None = None
    required: bool = False

    @classmethod
    def of(
        cls,
        model: str | None,
        max_tokens: int | None,
        max_seconds: float | None,
        long: str | None,
        tokenizer: str | None,
        *,
        required: bool = False,
    ) -> Limits | None:
        """The limits of a request; None if it asks for no budget.

        Raises:
            UsageError: One needs a model, or the tokenizer is not there.
        """
        for option, given in (("--max-tokens", max_tokens), ("--long", long), ("--tokenizer", tokenizer)):
            if given is not None and model is None:
                raise UsageError(f"{option} needs a model.", hint=f"add --model {' or '.join(MODELS)}")
        if model is None and max_seconds is None:
            return None
        digest = None
        if tokenizer is not None:
            file = tokenizer_file(Path(tokenizer).expanduser().absolute())
            tokenizer, digest = str(file), hashlib.sha256(file.read_bytes()).hexdigest()
        return cls(model, max_tokens, max_seconds, long or "keep", tokenizer, digest, required)

    @property
    def needs_tokens(self) -> bool:
        """Whether a row must have a number of tokens."""
        return self.required or self.max_tokens is not None

    @property
    def counted(self) -> Model | None:
        """The model whose tokens are counted."""
        return None if self.model is None else MODELS[self.model]

    def outcome_sql(self) -> str:
        """SQL over the table `budget`: why a row is left out, or null."""
        model = self.counted
        tests = []
        if model is not None and model.side is None:
            tests.append("WHEN has_pictures THEN 'model_takes_no_pictures'")
        if self.max_seconds is not None:
            tests.append("WHEN seconds IS NULL THEN 'unknown_length'")
            tests.append(f"WHEN seconds > {float(self.max_seconds)!r} THEN 'over_max_seconds'")
        if self.long != "keep" and model is not None and model.heard_s is not None:
            tests.append(
                f"WHEN audio_tokens IS NULL THEN 'unknown_length' WHEN cut_s > 0 THEN 'longer_than_{model.heard_s}_s'"
            )
        if self.needs_tokens:
            tests.append("WHEN tokens IS NULL THEN 'unknown_tokens'")
        if self.max_tokens is not None:
            tests.append(f"WHEN tokens > {int(self.max_tokens)} THEN 'over_max_tokens'")
        return f"CASE {' '.join(tests)} END" if tests else "NULL::VARCHAR"

    @classmethod
    def recorded(cls, limits: Mapping[str, Any]) -> Limits:
        """The limits of a manifest.

        Raises:
            UsageError: The tokenizer is no longer there, or is another file now.
        """
        found = cls(**limits)
        if found.tokenizer is not None:
            file = tokenizer_file(Path(found.tokenizer))
            if hashlib.sha256(file.read_bytes()).hexdigest() != found.tokenizer_sha256:
                raise UsageError(f"{file} is not the tokenizer with which texts were counted: its content has changed.")
        return found

    def identity(self) -> dict[str, Any]:
        """What rows depend on; a file is known by its content, wherever it stands."""
        return {name: value for name, value in self.describe().items() if name != "tokenizer"}

    def describe(self) -> dict[str, Any]:
        """As recorded in the manifest."""
        asked = {"model": self.model, "max_tokens": self.max_tokens, "max_seconds": self.max_seconds, "long": self.long,
                 "tokenizer": self.tokenizer, "tokenizer_sha256": self.tokenizer_sha256,
                 "required": self.required or None}  # fmt: skip
        return {name: value for name, value in asked.items() if value is not None}
