"""One conversion from end to end: samples, rows, duplicates, the draw, the file."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ProblemsFound, UsageError
from ...shards.draw import draw_key
from ...shards.exports.media_places import MEDIA_COLUMNS
from ..views import View, ViewOptions, get_view
from ..views.base import check_task
from ..views.left_out import told
from ..views.prompts import check_template
from ..views.statement import check_conversations, reasoning_for
from .inputs import Inputs, check_inputs, read_samples
from .merge_split import merge, split
from .options import ConvertOptions
from .result import ConvertResult, Problem
from .rows import Made, make_rows
from .writer import DuplicateIds, Output, check_outputs, check_suffix, encode

log = logging.getLogger("triptych")

TO_MSSWIFT = ("unified", "qa", "conversation", "alpaca")
"""Formats converted to msswift by default; all others are converted to unified."""


_TWO_SOUNDS = (
    "some rows have the sound of their video as a medium, others only in the video: MS-SWIFT has one switch for all "
    "(USE_AUDIO_IN_VIDEO); train on them apart, or use --av"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The output of a conversion.

    Attributes:
        to: The view: `unified` or `msswift`.
        max_samples: Maximum number of rows; None: no limit.
        seed: Draw the rows by hash of seed and id across all inputs; None: take the first ones.
        files: Whether the media files must exist.
        force: Overwrite an existing file.
    """

    out: Path
    to: str
    options: ViewOptions = field(default_factory=ViewOptions)
    max_samples: int | None = None
    seed: int | None = None
    files: bool = True
    force: bool = False


def target_format(format: str, to: str | None, task: str | None) -> tuple[str, str | None]:
    """View and task of a conversion, with defaults for those not given."""
    view = to or ("msswift" if task or format in TO_MSSWIFT else "unified")
    if view == "msswift" and task is None:
        task = "sft"
    return view, task


def convert(format: str, paths: Sequence[Path], out: Path, *, options: ConvertOptions | None = None) -> ConvertResult:
    """Convert files to one JSON Lines file; the formats `merge` and `split` do not change the rows.

    Args:
        format: The input format: one of `inputs.READABLE`, or `merge`, or `split`.
        out: The file to write; for `split`, the folder.

    Raises:
        UsageError: An option is invalid, or an output is an input or already exists.
        ProblemsFound: The user template puts the answer into the user turn; nothing is written.
    """
    options = options or ConvertOptions()
    log.info("convert %s: %s to %s", format, ", ".join(map(str, paths)), out)
    options.check_format(format)
    if format != "split":
        check_suffix(out)
    if format == "merge":
        return merge(paths, out, max_samples=options.max_samples, seed=options.seed, force=options.force)
    if format == "split":
        return split(paths, out, force=options.force)
    inputs = Inputs(format, paths, options.mapped, options.id_column, options.values, options.modality, options.name,
                    options.media_dir, options.allow_outside, options.records, options.named_by)  # fmt: skip
    to, task = target_format(format, options.to, options.task)
    check_task(get_view(to), task)
    if get_view(to).extract is not None or get_view(to).model is not None:
        raise UsageError(
            f"Rows of {to} are not made of a file's rows alone: files have no features and no order by tokens.",
            hint=f"triptych import {format} {paths[0]} --name NAME, then triptych export {to}",
        )
    rows = ViewOptions(task, options.text, options.system, options.user_template, options.allow_answer_in_prompt,
                       reasoning_for(get_view(to), task, options.reasoning), options.av,
                       prompts=options.prompts or "one", prompt_language=options.prompt_language,
                       seed=options.seed or 0, own=dict.fromkeys(get_view(to).options))  # fmt: skip
    return _convert(inputs, Target(out, to, rows, options.max_samples, options.seed, options.files, options.force))


def _convert(inputs: Inputs, target: Target) -> ConvertResult:
    view = get_view(target.to)
    check_conversations(view, target.options)
    if target.options.user_template is not None:
        check_template(target.options.user_template)
    check_inputs(inputs)
    check_outputs([target.out], inputs.paths, force=target.force)
    result = ConvertResult(inputs.format, target.to, target.options.task)
    chosen = None
    if target.max_samples is not None and target.seed is not None:
        chosen = _draw(_rows(inputs, target, view, ConvertResult(inputs.format, target.to)), target)
    media = MEDIA_COLUMNS if view.media_columns is None else view.media_columns
    with Output(target.out, columns=[*media, *view.optional_columns]) as output:
        first_leak: str | None = None
        for made in _rows(inputs, target, view, result):
            if chosen is not None and made[0].row["id"] not in chosen:
                result.reasons["not_drawn"] += 1
                continue
            if made[0].leaks and first_leak is None:
                first_leak = made[0].where
            output.write(made[0].row, made[1])
            result.left_out.update(made[0].left_out)
            result.sounds.update([made[0].sound] if made[0].sound else ())
            if chosen is None and output.rows == target.max_samples:
                break
        _refuse_leak(first_leak)
        result.field_warnings += told(dict(result.left_out.most_common()), view.name, target.options)
        result.written = output.rows
        log.info("convert %s: %d rows of %s from %d samples", inputs.format, output.rows, target.to, result.read)
        if output.rows:
            output.publish()
            result.out.append(target.out)
            if view.trainer_settings is not None and len(result.sounds) > 1:
                result.notes.append(_TWO_SOUNDS)
            elif view.train_command is not None:
                settings = view.trainer_settings(result.sounds) if view.trainer_settings else {}
                result.next_command = view.train_command(target.out.absolute(), target.options, output.used, settings)
        elif set(result.reasons) == {"no_prompt"} and inputs.format == "msswift":
            result.notes.append("no row has messages; to convert unified rows, use: triptych convert unified IN OUT")
    return result


def _rows(inputs: Inputs, target: Target, view: View, result: ConvertResult) -> Iterator[tuple[Made, bytes]]:
    """Valid rows with their encoded lines; all others are counted in the result."""
    ids = DuplicateIds()
    samples = read_samples(inputs, result.notes)
    for made in make_rows(samples, view, target.options, files=target.files, warnings=result.warnings):
        result.read += 1
        if isinstance(made, Problem):
            result.refuse(made)
            continue
        try:
            line = encode(made.row)
        except UnicodeEncodeError as error:
            result.refuse(Problem(made.where, "not_unicode", f"unpaired surrogate: {error.reason}"))
            continue
        except ValueError:
            result.refuse(Problem(made.where, "not_finite", "a number is NaN or infinite: JSON has neither"))
            continue
        except TypeError:
            result.refuse(Problem(made.where, "not_exact", "a number has more digits than a double of JSON keeps"))
            continue
        repeat = ids.classify(made.row, line)
        if repeat == "duplicate":
            result.reasons["duplicate"] += 1
        elif repeat is not None:
            result.refuse(Problem(made.where, repeat, f"an earlier row has the id {made.row['id']!r}"))
        else:
            yield made, line


def _draw(rows: Iterator[tuple[Made, bytes]], target: Target) -> frozenset[str]:
    """The ids with the smallest hashes of seed and id, independent of the order of rows and files."""
    count = target.max_samples or 0
    drawn: list[tuple[int, str]] = []
    for made, _ in rows:
        identity = str(made.row["id"])
        item = (-draw_key(target.seed or 0, identity), identity)
        if len(drawn) < count:
            heapq.heappush(drawn, item)
        else:
            heapq.heappushpop(drawn, item)
    return frozenset(identity for _, identity in drawn)


def _refuse_leak(first_leak: str | None) -> None:
    if first_leak is not None:
        raise ProblemsFound(
            f"The user template puts the answer into the user turn, first in {first_leak}: "
            "a model trained on it learns to copy. Nothing was written.",
            hint="remove that field from --user-template, or allow it with --allow-answer-in-prompt",
        )
