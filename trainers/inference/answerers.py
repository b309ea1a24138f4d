"""The backend that a run's options choose, opened when the first row must be answered, and what rows record of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

from ..data.sound import REFUSE
from ..models.model_files import locate
from .backends.answers import Backend
from .options import FILE, OPENAI, InferOptions
from .prompts import Prompting
from .questions import Question

_ROWS = 1000
"""Rows of a file at a time."""


class Answerer:
    """A backend that is not open yet.

    Attributes:
        settings: The fields of every row: `model`, `revision`, `backend`, `server`, `decoding`.
        together: Rows of a batch.
        side_by_side: Batches that are asked at once, each in a thread of its own.
    """

    def __init__(
        self, open: Callable[[], Backend], settings: Mapping[str, Any], *, together: int, side_by_side: int = 1
    ) -> None:
        self._open = open
        self._lock = Lock()
        self.settings = settings
        self.together = together
        self.side_by_side = side_by_side

    @property
    def is_open(self) -> bool:
        """Whether a row had to be answered."""
        return "_opened" in self.__dict__

    @property
    def backend(self) -> Backend:
        with self._lock:
            return self._opened

    @cached_property
    def _opened(self) -> Backend:
        return self._open()

    def close(self) -> None:
        """Close the backend, if it was opened."""
        if self.is_open:
            self._opened.close()


def choose(options: InferOptions, questions: Sequence[Question], prompting: Prompting) -> Answerer:
    """The backend of a run.

    Raises:
        UsageError: The model is not here.
    """
    decoding = {**options.decoding.record(), **prompting.record(), **_further(options)}
    if options.answers_by == FILE:
        return _file(options, questions)
    if options.answers_by == OPENAI:
        return _server(options, decoding)
    return _local(options, decoding)


def _further(options: InferOptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.long != REFUSE:
        found["long"] = options.long
    for name in ("max_seconds", "language", "dtype"):
        if getattr(options, name) is not None:
            found[name] = getattr(options, name)
    return found


def _local(options: InferOptions, decoding: dict[str, Any]) -> Answerer:
    from ..models.model_loading import template_of
    from .backends.local_model import LocalModel

    name = str(options.model)
    files = locate(name, revision=options.revision, download=options.download)
    template = template_of(files.folder, options.template)

    def open_model() -> Backend:
        return LocalModel(
            files.folder, decoding=options.decoding, template=template, device=options.device, dtype=options.dtype,
            language=options.language, batch_size=options.batch_size,
        )  # fmt: skip

    settings = {
        "model": name, "revision": files.revision, "backend": options.answers_by,
        "decoding": {**decoding, "template": template},
    }  # fmt: skip
    return Answerer(open_model, settings, together=options.batch_size)


def _server(options: InferOptions, decoding: dict[str, Any]) -> Answerer:
    from .backends.server import ServerModel
    from .backends.server_client import without_login

    name = str(options.model)

    def open_server() -> Backend:
        return ServerModel(name, decoding=options.decoding, options=options.servers, language=options.language)

    if options.servers.api != "chat":
        decoding["api"] = options.servers.api
    settings = {
        "model": name, "revision": options.revision, "backend": options.answers_by,
        "server": without_login(str(options.servers.server)), "decoding": decoding,
    }  # fmt: skip
    return Answerer(open_server, settings, together=1, side_by_side=options.servers.concurrency)


def _file(options: InferOptions, questions: Sequence[Question]) -> Answerer:
    from .backends.prediction_file import PredictionFile

    path = options.predictions
    assert path is not None
    opened = PredictionFile(path, questions)
    settings = {
        "model": options.model or path.name, "revision": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
        "backend": options.answers_by,
    }  # fmt: skip
    return Answerer(lambda: opened, settings, together=_ROWS)
