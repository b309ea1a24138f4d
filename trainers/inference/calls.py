"""`triptych.infer`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...errors import UsageError
from ...options import described_by
from ..data.outputs import check_not_read
from .done_rows import partial_of
from .options import InferOptions

if TYPE_CHECKING:
    from ...options.arguments import InferArguments
    from .result import InferResult
    from .sources import Asked

PathLike = str | Path


@described_by(InferOptions)
def infer(
    source: PathLike | None = None,
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[InferArguments],
) -> InferResult:
    """Ask a model about an export, a file of rows or clips, and write its predictions.

    Args:
        source: A file of rows, or an export: `NAME` or `NAME@vN`; or neither, with `audio=` or `prompt=`.
        store: The store of the export; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of rows answered and the number of rows.
        {options}

    Raises:
        UsageError: Nothing is asked, the model is not here, or `out` was made with other settings.
        NetworkError: The server or the hub cannot be reached; what was answered before is kept.
    """
    return infer_with(source, store, InferOptions.of(**options), progress)


def infer_with(
    source: PathLike | None,
    store: PathLike | None,
    options: InferOptions,
    progress: Callable[[int, int], None] | None = None,
) -> InferResult:
    """`infer` with options that are already parsed."""
    from .infer import infer as ask

    asked = asked_by(source, store, options)
    if options.out is not None:
        named = [options.prompt_file, options.predictions, options.examples, Path(source) if source else None]
        clips = {clip.path for question in asked.questions for clip in question.clips if not clip.is_url}
        check_not_read("--out", [options.out, partial_of(options.out)], [*named, *map(Path, clips)])
    return ask(asked, options, progress)


def asked_by(source: PathLike | None, store: PathLike | None, options: InferOptions) -> Asked:
    """What is asked: exactly one of a file of rows, an export, clips, and a prompt alone."""
    from .sources import clips, export, prompt_alone, prompt_file

    given = {"a file or export": source, "--prompt-file": options.prompt_file, "--audio": options.audio}
    named = [flag for flag, value in given.items() if value]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} say what to ask: name one of them.")
    if options.prompt_file is not None:
        return prompt_file(options.prompt_file, options.prompt)
    if options.audio:
        return clips(options.audio, options.prompt)
    if source is None:
        if options.prompt is None:
            raise UsageError(
                "nothing is asked.", hint="name a file of rows or an export, or add --audio clip.wav --prompt '...'"
            )
        return prompt_alone(options.prompt)
    path = Path(source).expanduser()
    if path.is_file() or path.suffix in (".json", ".jsonl"):
        return prompt_file(path, options.prompt)
    return export(str(source), store, options.prompt)
