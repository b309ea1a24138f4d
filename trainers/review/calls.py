"""`triptych.review_make` and `triptych.review_read`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ...errors import UsageError
from ...options import described_by
from ...shards.store.store import Store
from ...shards.store.use import using
from ..data.outputs import check_not_read
from .options import MakeOptions, ReadOptions

if TYPE_CHECKING:
    from ...options.arguments import ReviewMakeArguments, ReviewReadArguments
    from .agreement import Agreement, ReviewerShares
    from .annotations import Written
    from .page import ReviewPage

PathLike = str | Path


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """What reviewers said of the rows of one page.

    Attributes:
        by: The column of the strata; empty if there are none.
        agreements: Of every two reviewers.
        notices: What was odd about the files.
        written: The annotations; None if none were to be written.
    """

    page: str
    by: str
    reviewers: Sequence[ReviewerShares]
    agreements: Sequence[Agreement]
    notices: Sequence[str]
    written: Written | None = None


@described_by(MakeOptions)
def review_make(
    export: str | None = None, *, store: PathLike | None = None, **options: Unpack[ReviewMakeArguments]
) -> ReviewPage:
    """Draw rows at random onto one HTML page with players, on which people judge the answers.

    Args:
        export: `NAME` or `NAME@vN`: the rows that were answered, or whose own answers are reviewed.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: No such export or file; a medium that cannot be read; another page of that name.
        ProblemsFound: There is nothing to draw.
    """
    return review_make_with(export, store, MakeOptions.of(**options))


def review_make_with(export: str | None, store: PathLike | None, options: MakeOptions) -> ReviewPage:
    """`review_make` with options that are already parsed."""
    from .page import make_page
    from .rows import candidates_of

    if export is None and options.pred is None:
        raise UsageError("review make needs an export, or --pred FILE.", hint="triptych review make NAME --pred FILE")
    check_not_read("--out", [options.out], [options.pred])
    if export is None:
        return make_page(candidates_of(None, options.pred, by=options.by), options)
    from ..data.exports import ExportReader

    with using(Store.open(store), "make a review") as opened:
        reader = ExportReader.open(export, store=opened)
        return make_page(candidates_of(reader, options.pred, by=options.by), options)


@described_by(ReadOptions)
def review_read(
    files: PathLike | Sequence[PathLike], *, store: PathLike | None = None, **options: Unpack[ReviewReadArguments]
) -> ReviewResult:
    """Read what reviewers said: shares with intervals, the agreement of reviewers; the store gets annotations.

    Args:
        files: One or more CSV files that the page saved.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: A file is no review, or of another page; nothing was written.
    """
    return review_read_with([files] if isinstance(files, str | Path) else files, store, ReadOptions.of(**options))


def review_read_with(files: Sequence[PathLike], store: PathLike | None, options: ReadOptions) -> ReviewResult:
    """`review_read` with options that are already parsed."""
    from .agreement import agreements_of, shares_of
    from .answers import read_reviews

    if options.key is not None and not options.annotate:
        raise UsageError("--key names annotations, and --no-annotate writes none.")
    reviews = read_reviews(map(Path, files), page=options.page)
    written = None
    if options.annotate:
        from ...shards.care.recovery import writing
        from .annotations import write_annotations

        try:
            opened = Store.open(store)
        except UsageError as error:
            raise UsageError(error.message, hint="name the store with --store, or give --no-annotate") from error
        with writing(opened, "read reviews") as place:
            written = write_annotations(place, reviews, key=options.key)
    return ReviewResult(
        reviews.page, reviews.by, shares_of(reviews), agreements_of(reviews), list(reviews.notices), written
    )
