"""A model in this process, through transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ...models.model_loading import TRANSCRIPTION, LoadedModel, load_model, quiet_transformers
from ..questions import Question
from ..token_draw import DecodingOptions
from .answers import LENGTH, STOPPED, Answer, Request, checked, stopped
from .model_inputs import Inputs, UnaskableError, encode, is_alone, join
from .token_choice import SeededChoice, StopTexts

_Encoded = list[tuple[int, Inputs]]
"""The inputs of rows, each with its place among the requests."""

_START_TOKENS = 4
"""Whisper's start, language, task and time tokens."""


class LocalModel:
    """Answers batches; the model is loaded when it is first asked about."""

    def __init__(
        self, folder: Path, *, decoding: DecodingOptions, template: str, device: str | None = None,
        dtype: str | None = None, language: str | None = None, batch_size: int = 8,
        loaded: LoadedModel | None = None,
    ) -> None:  # fmt: skip
        """Answer with the model of a folder, or with one that is loaded already."""
        if loaded is not None:
            self.__dict__["loaded"] = loaded
        self.folder = folder
        self.decoding = decoding
        self.together = batch_size
        self.language = language
        self.device = device
        self.dtype = dtype
        self.template = template

    @cached_property
    def loaded(self) -> LoadedModel:
        loaded = load_model(self.folder, device=self.device, dtype=self.dtype, template=self.template)
        if loaded.kind != TRANSCRIPTION and self.language is not None:
            raise UsageError("--language is for models that only transcribe.", hint="ask in the prompt")
        if loaded.kind == TRANSCRIPTION:
            self._check_language(loaded)
        return loaded

    def _check_language(self, loaded: LoadedModel) -> None:
        if self.language not in (None, "en") and not getattr(loaded.model.generation_config, "is_multilingual", False):
            raise UsageError(f"--language {self.language}: the model knows English only.", hint="remove --language")

    @property
    def rate(self) -> int:
        return self.loaded.rate

    @property
    def heard_s(self) -> float | None:
        return self.loaded.heard_s

    @property
    def takes_prompts(self) -> bool:
        return self.loaded.kind != TRANSCRIPTION

    def needs_sound(self, question: Question) -> bool:
        return True

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        answers: list[Answer | None] = [None] * len(requests)
        encoded: _Encoded = []
        for place, request in enumerate(requests):
            try:
                sounds = [sound for sound in request.sounds if sound is not None]
                encoded.append((place, encode(self.loaded, request.question, sounds)))
            except UnaskableError as error:
                answers[place] = Answer(error=str(error))
        for start in range(0, len(encoded), self.together):
            for group, inputs in self._batches(encoded[start : start + self.together]):
                found = self._generate(inputs, [requests[place].seed for place, _ in group])
                for (place, _), answer in zip(group, found, strict=True):
                    answers[place] = answer
        return [answer for answer in answers if answer is not None]

    def close(self) -> None:
        """Forget the model."""
        self.__dict__.pop("loaded", None)

    def _batches(self, rows: _Encoded) -> list[tuple[_Encoded, Inputs]]:
        """The rows as one batch; each by itself where it must be, or where their inputs do not fit together."""
        places = {place for place, inputs in rows if is_alone(self.loaded, inputs)}
        alone, others = [row for row in rows if row[0] in places], [row for row in rows if row[0] not in places]
        joined = join([inputs for _, inputs in others], self._pad) if others else None
        if joined is None:
            return [([row], row[1]) for row in rows]
        return [(others, joined), *(([row], row[1]) for row in alone)]

    @property
    def _pad(self) -> int:
        tokenizer = self.loaded.tokenizer
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        return int(pad or 0)

    def _generate(self, inputs: Inputs, seeds: Sequence[int]) -> list[Answer]:
        import torch

        model = self.loaded.model
        device, dtype = model.device, model.dtype
        moved = {
            name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for name, value in inputs.items()
        }
        prompt = moved["input_ids"].shape[1] if "input_ids" in moved else 0
        try:
            with torch.inference_mode(), quiet_transformers():
                tokens = model.generate(**moved, **self._settings(seeds, prompt))
        except torch.cuda.OutOfMemoryError as error:
            raise UsageError(
                "the device has too little memory.", hint="a smaller --batch-size, or --device auto"
            ) from error
        return [self._answer(row[prompt:].tolist()) for row in tokens]

    def _settings(self, seeds: Sequence[int], prompt: int) -> dict[str, Any]:
        decoding, loaded = self.decoding, self.loaded
        settings: dict[str, Any] = {"max_new_tokens": self._most_tokens(), "num_beams": decoding.num_beams}
        if decoding.is_sampling:
            settings["logits_processor"] = [SeededChoice(seeds, temperature=decoding.temperature, top_p=decoding.top_p)]
        if decoding.stop:
            settings["stopping_criteria"] = [StopTexts(decoding.stop, loaded.tokenizer, prompt)]
        if loaded.kind == TRANSCRIPTION:
            if getattr(loaded.model.generation_config, "is_multilingual", False):
                settings |= {"task": "transcribe", **({"language": self.language} if self.language else {})}
            return settings
        return settings | {
            "do_sample": False,
            "min_new_tokens": 1,  # an answer is not empty from the start, as in Qwen2-Audio's scripts
            "pad_token_id": self._pad,
            "eos_token_id": sorted(self._ends),
        }

    def _most_tokens(self) -> int:
        """A transcriber has so many positions and no more; some are taken by what it is told at the start."""
        positions = getattr(self.loaded.model.config, "max_target_positions", None)
        if self.loaded.kind != TRANSCRIPTION or positions is None:
            return self.decoding.max_new_tokens
        return min(self.decoding.max_new_tokens, int(positions) - _START_TOKENS)

    @cached_property
    def _ends(self) -> set[int]:
        """Tokens that end an answer: the model's, and the tokenizer's, which a template ends turns with."""
        told = self.loaded.model.generation_config.eos_token_id
        ends = {told} if isinstance(told, int) else set(told or ())
        own = self.loaded.tokenizer.eos_token_id
        return ends | ({int(own)} if own is not None else set())

    def _answer(self, tokens: list[int]) -> Answer:
        tokenizer = self.loaded.tokenizer
        text = str(tokenizer.decode(tokens, skip_special_tokens=True))
        raw = str(tokenizer.decode([token for token in tokens if token != self._pad]))
        is_over = len(tokens) >= self._most_tokens() and not self._ends & set(tokens)
        if self.loaded.kind == TRANSCRIPTION:
            text = text.strip()  # Whisper begins with a space
        return stopped(checked(text, raw, LENGTH if is_over else STOPPED), self.decoding.stop)
