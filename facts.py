"""Later facts about stored samples: what people and programs say of them, beside what the corpus said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from .converters.annotations.align.options import AlignOptions
from .options import described_by, from_python
from .shards.store.store import Store

if TYPE_CHECKING:
    from .converters.annotations.align.align import AlignResult
    from .options.arguments import AlignArguments

PathLike = str | Path
Fact = Sequence[Any] | Mapping[str, Any]


@from_python
def annotate(
    id: str | PathLike | Iterable[Fact],
    key: str | None = None,
    value: Any = None,
    *,
    store: PathLike | None = None,
    producer: str | None = None,
    clear: bool = False,
) -> int:
    """Annotate samples: a corrected text, an assigned split, a review. The original values are kept.

        triptych.annotate(id, "text", "the corrected text")
        triptych.annotate([(id, "labels", ["Dog", "Bark"]), (other, "start_s", 0.5)])
        triptych.annotate("corrections.csv")
        triptych.annotate(id, "text", clear=True)

    Args:
        id: The sample's id; or many annotations, each (id, key, value); or a CSV file with the columns id, key, value.
        key: `text`, `assigned_split`, `words` ..., or a key of your own.
        value: Text, a number, or a list; lists and alignments become JSON.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        producer: Who made the annotation; default: you.
        clear: Clear the keys: the values from the corpus count again. No value is given.

    Returns:
        The number of annotations written.

    Raises:
        UsageError: No such sample, or a value that is invalid for its key; nothing was written.
    """
    from .shards.annotate import annotate as annotate_store
    from .shards.annotate import annotations_of
    from .shards.care.recovery import writing

    rows = annotations_of(id, key, value, clear=clear)
    with writing(Store.open(store), "annotate") as opened:
        return annotate_store(opened, rows, producer=producer)


@described_by(AlignOptions)
def align(
    *datasets: str | Sequence[str],
    store: PathLike | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Unpack[AlignArguments],
) -> list[AlignResult]:
    """Find the word and phone times of samples that have a transcript and no times yet.

    Args:
        datasets: Names of datasets; default: all.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the dataset, the number of samples done and the number of samples to do.
        {options}

    Raises:
        UsageError: No such dataset, or the aligner is not installed.
        ProblemsFound: An external aligner failed.
    """
    names = [name for each in datasets for name in ([each] if isinstance(each, str) else each)]
    return align_with(names, store, AlignOptions.of(**options), progress)


def align_with(
    datasets: Sequence[str],
    store: PathLike | None,
    options: AlignOptions,
    progress: Callable[[str, int, int], None] | None,
) -> list[AlignResult]:
    """`align` with options that are already parsed."""
    from .converters.annotations.align.align import align as align_store
    from .shards.care.recovery import writing

    with writing(Store.open(store), "align") as opened:
        return align_store(opened, datasets, options=options, progress=progress)
