"""The report of a preflight for people: on a terminal trained text is green, elsewhere it stands in [[ ]].

Text from data is escaped: control characters never reach a terminal.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ....errors import amount
from .findings import ERROR

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from .audio_gap import AudioGap
    from .findings import Finding
    from .memory import Memory
    from .report import Preflight
    from .rows import ShownBatch, ShownRow

TRAINED, MEDIA, QUIET = "green", "cyan", "dim"
_STYLES = {ERROR: "bold red", "warning": "yellow"}
_LONGEST = 1500
"""Characters of a stretch that are shown: its beginning and its end."""


def text_of(found: Preflight, *, width: int = 100, is_coloured: bool = False) -> str:
    """The report, in lines of at most so many columns."""
    return _printed(_parts(found, is_coloured=is_coloured), width=width, is_coloured=is_coloured)


def of_findings(found: Sequence[Finding], *, width: int = 100, is_coloured: bool = False) -> str:
    """What was found, in lines of at most so many columns."""
    return _printed(_findings(found), width=width, is_coloured=is_coloured)


def _printed(parts: Iterable[RenderableType], *, width: int, is_coloured: bool) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=is_coloured, color_system="standard" if is_coloured else None,
        no_color=not is_coloured, highlight=False, markup=False, emoji=False, soft_wrap=False,
    )  # fmt: skip
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _parts(found: Preflight, *, is_coloured: bool) -> Iterator[RenderableType]:
    plan = found.plan
    yield _line("model", f"{plan.model}, {found.dtype} on {found.device}")
    lost = sum(plan.left_out.values())
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in sorted(plan.left_out.items()))
    named = f"{amount(lost, 'row')} left out ({left_out})" if lost else "no row left out"
    sound = f", {duration(plan.seconds)} of sound" if plan.seconds else ""
    yield _line(
        "export",
        f"{plan.export}: {amount(plan.rows, 'row')}, {amount(plan.tokens, 'token')}{sound}; {named}"
        + (f"; {plan.cut_seconds:,.1f} s of longer clips cut off" if plan.cut_seconds else ""),
    )
    batches, them = ("1 batch", "it") if plan.batches == 1 else (f"{plan.batches:,} batches", "them")
    yield _line(
        "steps",
        f"{plan.steps:,}, {amount(found.epochs, 'epoch')} of {batches}; {plan.padding:.1%} of {them} padding",
    )
    yield ""
    yield from _components(found)
    if found.batch is not None:
        yield ""
        yield from _batch(found.batch, is_coloured=is_coloured)
    yield ""
    yield from _costs(found)
    yield _line("audio gap", _gap(found.audio_gap))
    for score in found.scores:
        interval = "" if score.low is None or score.high is None else f" (95 %: {score.low:.3f} to {score.high:.3f})"
        yield _line("base model", f"{score.name} {score.value:.3f}{interval} on {amount(score.rows, 'row')}")
    yield ""
    yield from _findings(found.findings)


def _line(name: str, text: str) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=10, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(name, style="bold"), Text(_printable(text)))
    return grid


def _components(found: Preflight) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(Text("part of the model", style="bold"))
    for name in ("weights", "trained", "adapters", "weights of adapters"):
        grid.add_column(Text(name, style="bold"), justify="right")
    for each in found.plan.components:
        style = TRAINED if each.trainable or each.adapters else ""
        numbers = (each.parameters, each.trainable, each.adapters, each.adapter_parameters)
        grid.add_row(each.component, *(f"{number:,}" for number in numbers), style=style)
    yield grid


def _batch(batch: ShownBatch, *, is_coloured: bool) -> Iterator[RenderableType]:
    from rich.text import Text

    rows = amount(batch.rows, "row")
    yield _line(
        "batch",
        f"the first, one of the costliest: {rows}, {amount(batch.tokens, 'token')}, {batch.trained:,} trained "
        f"({batch.trained / max(1, batch.tokens):.0%}), {batch.media:,} of media, {batch.padding:.1%} padding",
    )
    key = Text.assemble("  trained is ", ("green", TRAINED)) if is_coloured else Text("  trained is [[in brackets]]")
    yield Text.assemble(key, ", media are ", ("<in angles>", MEDIA if is_coloured else ""))
    for row in batch.shown:
        yield Text(f"  row {_printable(row.id)}: {amount(row.tokens, 'token')}, {row.trained:,} trained", style=QUIET)
        yield _Framed(_row(row, is_coloured=is_coloured))
    if batch.rows > len(batch.shown):
        yield Text(f"  {batch.rows - len(batch.shown):,} more", style=QUIET)


class _Framed:
    """Text with a line at its left, wrapped within what is left of the width."""

    def __init__(self, text: Text) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: object) -> Iterator[RenderableType]:
        from rich.text import Text

        room = max(20, console.width - 4)
        for line in self.text.wrap(console, room, overflow="fold"):
            line.rstrip()
            yield Text.assemble(("  │ ", QUIET), line)


def _row(row: ShownRow, *, is_coloured: bool) -> Text:
    from rich.text import Text

    made = Text()
    for each in row.stretches:
        text = _printable(_short(each.text if each is not row.stretches[-1] else each.text.rstrip("\n")))
        if each.is_media:
            text = f"<{text}>"
        if each.is_trained and not is_coloured:
            text = f"[[{text}]]"
        made.append(text, style=TRAINED if each.is_trained else MEDIA if each.is_media else "")
    return made


def _short(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} ... {len(text) - 2 * half:,} characters ... {text[-half:]}"


def _costs(found: Preflight) -> Iterator[RenderableType]:
    if found.memory is not None:
        yield _line("memory", memory_line(found.memory))
    spent = found.step_time
    if spent is None:
        yield _line("step", "could not be computed: see below")
        return
    first = ", the first step; later ones are faster" if spent.is_first else f", the median of {spent.steps}"
    yield _line(
        "step",
        f"{_seconds(spent.seconds)} here{first}; {spent.tokens_per_second:,.0f} tokens/s; "
        f"{duration(spent.run_seconds)} for all steps; every weight is as it was",
    )


def memory_line(memory: Memory) -> str:
    """What a step takes, in words."""
    estimated = f"activations {_size(memory.activations)} estimated"
    if memory.measured_activations is not None and memory.error is None:
        estimated = f"activations {_size(memory.measured_activations)} measured"
    elif memory.measured_activations is not None:
        estimated = (
            f"activations {_size(memory.measured_activations)} measured "
            f"({_size(memory.activations)} estimated, {memory.error:+.0%})"
        )
    peak = "" if memory.peak is None else f"; peak {_size(memory.peak)} measured"
    device = "" if memory.device is None else f" of {_size(memory.device)} here"
    return (
        f"a step takes {_size(memory.estimate)}{device}: weights {_size(memory.weights)}, gradients "
        f"{_size(memory.gradients)}, optimizer {_size(memory.optimizer)}, {estimated}{peak}"
    )


def _gap(gap: AudioGap | None) -> str:
    if gap is None:
        return "not measured: no two rows have different sound"
    told = (
        f"{gap.gap:+.4f}: loss {gap.own:.4f} with the own clip, {gap.other:.4f} with another row's; the own is better "
        f"in {gap.own_is_better:.0%} of {amount(gap.rows, 'row')}"
    )
    if not gap.is_heard:
        return f"{told}. Sound is not heard"
    return told + ". Of a base model it is small or below 0; training must raise it" * (gap.gap < 0.1)


def _findings(found: Sequence[Finding]) -> Iterator[RenderableType]:
    for each in found:
        yield _finding(each)
    errors = sum(each.level == ERROR for each in found)
    warnings = len(found) - errors
    if not found:
        yield "Nothing was found that speaks against this run."
        return
    counted = [
        f"{count} {name}{'s' * (count > 1)}" for count, name in ((errors, "error"), (warnings, "warning")) if count
    ]
    yield f"{' and '.join(counted)}." + (" The run must not begin like this." if errors else "")


def _finding(found: Finding) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=10, no_wrap=True)
    grid.add_column(overflow="fold")
    text = Text.assemble(_printable(found.text), ("\n-> " + _printable(found.advice), QUIET) if found.advice else "")
    grid.add_row(Text(found.level, style=_STYLES[found.level]), text)
    return grid


def _printable(text: str) -> str:
    """A text with its control characters escaped, but for line breaks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _size(count: int) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as they are read."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
