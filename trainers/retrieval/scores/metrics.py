"""What retrieval is worth: recall of terms that training has had and of others, and what is said where no term is.

Random vectors find the terms that they were trained on: only terms and speakers that training never had count. Beside
every score stands that of the same vectors dealt out to other clips, which is what chance gives.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....errors import UsageError, amount

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, np.dtype[np.float32]]

TOP = (1, 5, 10)
THRESHOLD = 0.15
"""The cosine under which the nearest term is not said: the margin of the loss on clips without terms."""
_SIMILARITIES = 16_000_000
"""Cosines that are held at once: 64 MB, whatever the glossary has."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall among the nearest K terms.

    Attributes:
        clips, terms: Clips that name any term, and how many they name in all.
        by_clip: The share of each clip's terms that is found, as the mean over clips.
        by_term: The share of all terms that is found.
    """

    clips: int
    terms: int
    by_clip: dict[int, float]
    by_term: dict[int, float]


@dataclass(frozen=True, slots=True)
class ThresholdScores:
    """What comes of saying the nearest term only where its cosine reaches a threshold.

    Attributes:
        rejected: The share of clips without terms of which nothing is said; None: there are none.
        answered: The share of clips with terms of which something is said.
        right: The share of clips with terms of which the nearest term is said, and is theirs.
    """

    threshold: float
    rejected: float | None
    answered: float
    right: float

    @property
    def violations(self) -> float | None:
        """The share of clips without terms of which a term is said."""
        return None if self.rejected is None else 1 - self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalScores:
    """What retrieval from one glossary is worth.

    Attributes:
        glossary: Terms that are searched.
        all, seen, unseen: Recall of all terms, of those that training has had, and of the others.
        chance: Recall of all terms by the vectors of other clips; of a single clip, of none.
        at: At the threshold that was asked for.
        sweep: At every threshold from -1 to 1.
    """

    glossary: int
    all: Recall
    seen: Recall
    unseen: Recall
    chance: Recall
    at: ThresholdScores
    sweep: tuple[ThresholdScores, ...]


def score(
    clips: Vectors, named: Sequence[Sequence[str]], terms: Sequence[str], glossary: Vectors, *,
    seen: Set[str] = frozenset(), top: Sequence[int] = TOP, threshold: float = THRESHOLD, seed: int = 42,
) -> RetrievalScores:  # fmt: skip
    """Score clips against a glossary, by exact search.

    Args:
        clips: Their vectors, of length 1.
        named: The terms that each clip names; none: it names none.
        terms: The glossary, each term once.
        glossary: The vectors of its terms.
        seen: Terms that training has had.
        top: The numbers of nearest terms among which a term counts as found.

    Raises:
        UsageError: A clip names a term that the glossary lacks, or the glossary has one twice.
    """
    import numpy as np

    place = {term: number for number, term in enumerate(terms)}
    if len(place) < len(terms):
        raise UsageError("the glossary has a term twice.", hint="name each term once")
    missing = sorted({term for own in named for term in own} - place.keys())
    if missing:
        raise UsageError(f"the glossary lacks {amount(len(missing), 'term')} that clips name: {missing[0]!r} ...")
    gold = [tuple(dict.fromkeys(place[term] for term in own)) for own in named]
    heard = {place[term] for term in seen if term in place}
    nearest, cosines = _nearest(clips, glossary, max(top))
    dealt = _dealt(nearest, seed)
    is_seen = [tuple(term for term in own if term in heard) for own in gold]
    is_unseen = [tuple(term for term in own if term not in heard) for own in gold]
    steps = np.linspace(-1, 1, 81).round(3)
    return RetrievalScores(
        glossary=len(terms), all=_recall(nearest, gold, top), seen=_recall(nearest, is_seen, top),
        unseen=_recall(nearest, is_unseen, top), chance=_recall(dealt, gold if len(clips) > 1 else (), top),
        at=_at(threshold, nearest, cosines, gold),
        sweep=tuple(_at(float(each), nearest, cosines, gold) for each in steps),
    )  # fmt: skip


def _nearest(clips: Vectors, glossary: Vectors, count: int) -> tuple[Any, Any]:
    """The places of each clip's nearest terms, nearest first, of equals the first; and the cosine of the nearest."""
    import numpy as np

    found: list[Any] = []
    cosines: list[Any] = []
    count = min(count, len(glossary))
    block = max(1, _SIMILARITIES // max(1, len(glossary)))
    for start in range(0, len(clips), block):
        similarity = clips[start : start + block] @ glossary.T
        found.extend(_first(row, count) for row in similarity)
        cosines.append(similarity.max(axis=1))
    if not found:
        return np.zeros((0, count), np.int64), np.zeros(0, np.float32)
    return np.stack(found), np.concatenate(cosines)


def _first(similarity: Any, count: int) -> Any:
    """The places of the largest, largest first, of equals the first."""
    import numpy as np

    last = np.partition(similarity, len(similarity) - count)[len(similarity) - count]
    places = np.flatnonzero(similarity >= last)
    return places[np.argsort(-similarity[places], kind="stable")][:count]


def _dealt(nearest: Any, seed: int) -> Any:
    """What was found for another clip: of several clips none keeps its own."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(len(nearest))
    found = np.empty_like(nearest)
    found[order] = nearest[np.roll(order, 1)]
    return found


def _recall(nearest: Any, gold: Sequence[tuple[int, ...]], top: Sequence[int]) -> Recall:
    clips = [number for number, own in enumerate(gold) if own]
    terms = sum(len(gold[number]) for number in clips)
    by_clip, by_term = {}, {}
    for count in top:
        hits = [len(set(gold[number]) & set(nearest[number, :count].tolist())) for number in clips]
        shares = [hit / len(gold[number]) for hit, number in zip(hits, clips, strict=True)]
        by_clip[count] = sum(shares) / len(clips) if clips else 0.0
        by_term[count] = sum(hits) / terms if terms else 0.0
    return Recall(len(clips), terms, by_clip, by_term)


def _at(threshold: float, nearest: Any, cosines: Any, gold: Sequence[tuple[int, ...]]) -> ThresholdScores:
    said = cosines >= threshold
    naming = [number for number, own in enumerate(gold) if own]
    silent = [number for number, own in enumerate(gold) if not own]
    right = sum(bool(said[number]) and int(nearest[number, 0]) in gold[number] for number in naming)
    return ThresholdScores(
        threshold, None if not silent else float(1 - said[silent].mean()),
        float(said[naming].mean()) if naming else 0.0, right / len(naming) if naming else 0.0,
    )  # fmt: skip
