"""`JudgeOptions`: the options of a model that judges answers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ...errors import UsageError
from ...options import Option, Options

if TYPE_CHECKING:
    from ..inference.options import ServerOptions

JUDGE = "A judge"
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class JudgeOptions(Options):
    """Options of a judge."""

    judge: Annotated[
        str | None,
        Option("URL of a server that speaks OpenAI's protocol, whose model judges answers: rows of a chat, and the "
               "chains of rows with rubrics.", JUDGE, metavar="URL"),
    ] = None  # fmt: skip
    judge_model: Annotated[str | None, Option("The model that judges, by its name there.", JUDGE, metavar="NAME")] = (
        None
    )
    judgements: Annotated[
        Path | None,
        Option("The file in which every judgement is kept, so that none is asked for twice; without --judge, those in "
               "it count; default: judgements.jsonl in --out.", JUDGE, metavar="FILE"),
    ] = None  # fmt: skip
    judge_prompt: Annotated[
        Path | None,
        Option("A file with other words for the question to the judge; its {fields} are filled in.", JUDGE,
               metavar="FILE"),
    ] = None  # fmt: skip
    judge_temperature: Annotated[
        float | None, Option("Temperature of the judge; default: rubrics 0, airbench 1, as published.", JUDGE, min=0)
    ] = None
    judge_concurrency: Annotated[int, Option("Rows that are judged at a time.", JUDGE, min=1)] = 8
    judge_timeout: Annotated[float, Option("Seconds to wait for a judgement.", JUDGE, above=0)] = 120.0
    judge_retries: Annotated[
        int,
        Option("How often a judgement is asked for again that failed, or was none.", JUDGE, min=0),
    ] = 5  # fmt: skip
    judge_key_env: Annotated[
        str, Option("The environment variable with the judge's key; the key is never written.", JUDGE, metavar="NAME")
    ] = "OPENAI_API_KEY"

    @property
    def is_asked(self) -> bool:
        """Whether rows are judged: now, or from what was kept."""
        return self.judge is not None or self.judgements is not None

    def check(self) -> None:
        if self.judge is not None and not self.judge.startswith(("http://", "https://")):
            raise UsageError(f"--judge {self.judge}: expected a URL, such as http://localhost:8000/v1.")
        if self.is_asked and self.judge_model is None:
            raise UsageError("--judge-model must be given: scores are of one judge.", hint="add --judge-model NAME")
        if self.judge_model is not None and not self.is_asked:
            raise UsageError("--judge-model needs --judge URL, or --judgements FILE.")

    def server(self) -> ServerOptions:
        """The server, as clients take it."""
        from ..inference.options import ServerOptions

        return ServerOptions(
            server=self.judge, concurrency=self.judge_concurrency, timeout=self.judge_timeout,
            retries=self.judge_retries, key_env=self.judge_key_env,
        )  # fmt: skip


def prompt_of(path: Path | None, fields: Collection[str]) -> str | None:
    """The words of `--judge-prompt`.

    Raises:
        UsageError: There is no such file, or it has other fields than these, or lacks one that is judged.
    """
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--judge-prompt {path}: {error}.") from error
    named = _FIELD.findall(text)
    if other := next((name for name in named if name not in fields), None):
        raise UsageError(f"--judge-prompt {path}: there is no field {{{other}}}.", hint=_listed(fields))
    if lacking := next(
        (name for name in ("first", "second", "response") if name in fields and name not in named), None
    ):
        raise UsageError(f"--judge-prompt {path}: the field {{{lacking}}} is not in it.", hint=_listed(fields))
    return text


def _listed(fields: Collection[str]) -> str:
    return "fields: " + ", ".join(f"{{{name}}}" for name in fields)


def filled(template: str, told: Mapping[str, str]) -> str:
    """A template with its fields; braces in their texts stay as they are."""
    return _FIELD.sub(lambda match: told.get(match[1], match[0]), template)
