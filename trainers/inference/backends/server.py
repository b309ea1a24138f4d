"""A server that speaks OpenAI's protocol (vLLM, SGLang ...): chat completions with sound, or transcriptions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.sound import as_base64, as_wav
from ...data.turns import Clip
from ..options import URL, ServerOptions
from ..questions import Question
from ..token_draw import DecodingOptions
from .answers import LENGTH, STOPPED, Answer, Request, checked, stopped
from .server_client import RefusedError, ServerClient, error_of

_FINISHED = {
    "stop": STOPPED, "eos": STOPPED, "eos_token": STOPPED, "stop_sequence": STOPPED, "end_turn": STOPPED,
    "length": LENGTH, "max_tokens": LENGTH,
}  # fmt: skip
"""What servers call the end of an answer; any other reason (`abort`, `content_filter`) leaves half of one."""

RATE = 16_000
"""Hz of the sound that is sent: what the encoders behind such servers take."""


class ServerModel:
    """Asks for each answer by itself, with its own seed; several threads may ask at once."""

    def __init__(
        self, model: str, *, decoding: DecodingOptions, options: ServerOptions, language: str | None = None
    ) -> None:  # fmt: skip
        self.model = model
        self.decoding = decoding
        self.options = options
        self.heard_s: float | None = None
        self.language = language
        self.rate = RATE
        self.takes_prompts = options.api == "chat"
        self.client = ServerClient(options)
        self.client.check_model(model)

    def needs_sound(self, question: Question) -> bool:
        return self.options.audio_as != URL or not self.takes_prompts

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        return [self._one(request) for request in requests]

    def close(self) -> None:
        self.client.close()

    def _one(self, request: Request) -> Answer:
        try:
            return self._chat(request) if self.takes_prompts else self._transcription(request)
        except RefusedError as error:
            return Answer(error=f"refused: {self.client.shown(str(error))}")

    # ---- chat completions

    def _chat(self, request: Request) -> Answer:
        decoding = self.decoding
        body: dict[str, Any] = {
            "model": self.model,
            "messages": self._messages(request),
            "temperature": decoding.temperature,
            "max_tokens": decoding.max_new_tokens,
        }
        if decoding.is_sampling:
            body |= {"top_p": decoding.top_p, "seed": request.seed}
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        told = self.client.post("/chat/completions", json=body)
        text, finish, tokens = _choice(told)
        return stopped(checked(text, text, finish, tokens=tokens), decoding.stop)

    def _messages(self, request: Request) -> list[dict[str, Any]]:
        sounds = iter(request.sounds)
        messages = []
        for turn in request.question.turns:
            parts = [
                self._sound(part, next(sounds)) if isinstance(part, Clip) else {"type": "text", "text": part}
                for part in turn.parts
            ]
            has_sound = any(isinstance(part, Clip) for part in turn.parts)
            messages.append({"role": turn.role, "content": parts if has_sound else turn.text})
        return messages

    def _sound(self, clip: Clip, samples: Any) -> dict[str, Any]:
        if samples is None:
            url = clip.path if clip.is_url else Path(clip.path).absolute().as_uri()
            return {"type": "audio_url", "audio_url": {"url": url}}
        data = as_base64(as_wav(samples, self.rate))
        return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}

    # ---- transcriptions

    def _transcription(self, request: Request) -> Answer:
        sounds = [sound for sound in request.sounds if sound is not None]
        if len(sounds) != 1:
            return Answer(error=f"one_sound: transcriptions are of one sound, and the row has {len(sounds)}")
        fields = {"model": self.model, "response_format": "json", "temperature": str(self.decoding.temperature)}
        if self.language:
            fields["language"] = self.language
        if self.decoding.is_sampling:
            fields["seed"] = str(request.seed)
        sound = as_wav(sounds[0], self.rate)
        told = self.client.post("/audio/transcriptions", data=fields, files={"file": ("clip.wav", sound, "audio/wav")})
        _refuse_errors(told)
        if not isinstance(told, dict) or not isinstance(told.get("text"), str):
            raise RefusedError("the server's answer holds no text")
        text = told["text"].strip()
        return stopped(checked(text, text), self.decoding.stop)


def _choice(told: Any) -> tuple[str, str, int]:
    """The text of a chat completion, how it ended, and its tokens; 0 where they are not told.

    Raises:
        RefusedError: It holds an error, a refusal, no text, or one that was broken off.
    """
    _refuse_errors(told)
    try:
        choice = told["choices"][0]
        message = dict(choice["message"])
        reason = str(choice.get("finish_reason") or STOPPED)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise RefusedError("the server's answer holds no choice") from error
    if message.get("refusal"):
        raise RefusedError(f"the model declines: {message['refusal']}")
    if reason not in _FINISHED:
        raise RefusedError(f"the server ended the answer by {reason!r}")
    text = message.get("content") or ""
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(text, str) or not isinstance(thought, str):
        raise RefusedError("the server's answer is no text")
    if thought:  # a server may part the chain from the answer; a prediction has both
        text = f"<think>\n{thought.strip()}\n</think>\n\n{text}"
    usage = told.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return text, _FINISHED[reason], tokens if isinstance(tokens, int) else 0


def _refuse_errors(told: Any) -> None:
    """Some servers send their errors with the status 200."""
    if isinstance(told, dict) and told.get("error"):
        raise RefusedError(f"the server answered with an error: {error_of(told)}")
