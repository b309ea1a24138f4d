"""Search among the terms of a glossary: exact (`flat`), or in the lists of the nearest centroids only (`ivf`).

A flat index compares with every term. An inverted file parts the terms into lists around centroids and looks into the
lists nearest to the clip: a glossary of a million terms is searched in milliseconds, and a term whose list is not
looked into is missed. The kind is part of what is saved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import DamagedError, UsageError, amount

if TYPE_CHECKING:
    import numpy as np

    from ..scores.metrics import Vectors

FLAT, IVF, AUTO = "flat", "ivf", "auto"
KINDS = (AUTO, FLAT, IVF)
INDEX, TERMS = "glossary.faiss", "glossary_terms.json"

FLAT_UP_TO = 100_000
"""Terms that `auto` searches exactly: 200 MB of 512 numbers each, in about 20 ms."""
_PROBES = 256
"""Lists of 2,000 that are looked into: 97% of the nearest of a million made terms (benchmarks/retrieval.py)."""
_PER_LIST = 64
"""Terms for each centroid from which it is trained."""


@dataclass(frozen=True, slots=True)
class Found:
    """A term that was found, and the cosine of its vector and the clip's."""

    term: str
    cosine: float


@dataclass(frozen=True, slots=True, eq=False)
class GlossaryIndex:
    """The terms of a glossary, to be searched.

    Attributes:
        terms: In the order of their rows in the index.
        kind: `flat` or `ivf`.
    """

    terms: Sequence[str]
    kind: str
    index: Any

    @classmethod
    def of(cls, terms: Sequence[str], vectors: Vectors, *, kind: str = AUTO, lists: int | None = None) -> GlossaryIndex:
        """Build an index.

        Args:
            vectors: Those of the terms, of length 1.
            kind: `flat`, `ivf`, or `auto`: flat up to 100,000 terms.
            lists: Of an inverted file; default: twice the square root of the number of terms.

        Raises:
            UsageError: There are no terms, or one is there twice; faiss is not installed.
        """
        import numpy as np

        faiss = require_faiss()
        if not terms or len(set(terms)) < len(terms) or len(terms) != len(vectors):
            raise UsageError(
                f"the glossary has {amount(len(terms), 'term')}, or one of them twice.", hint="name each term once"
            )
        if kind == AUTO:
            kind = FLAT if len(terms) <= FLAT_UP_TO else IVF
        width = vectors.shape[1]
        if kind == FLAT:
            index = faiss.IndexFlatIP(width)
        else:
            parts = lists or max(1, min(len(terms) // 4, round(2 * len(terms) ** 0.5)))
            index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, parts, faiss.METRIC_INNER_PRODUCT)
            index.cp.niter, index.cp.seed, index.cp.max_points_per_centroid = 10, 42, _PER_LIST
            index.cp.min_points_per_centroid, index.cp.spherical = 1, True
            index.nprobe = min(_PROBES, parts)
            index.train(np.ascontiguousarray(vectors, np.float32))
        index.add(np.ascontiguousarray(vectors, np.float32))
        return cls(tuple(terms), kind, index)

    def __len__(self) -> int:
        return len(self.terms)

    def search(self, vectors: Vectors, *, top: int = 10, threshold: float = -1.0) -> list[list[Found]]:
        """The nearest terms of each vector, nearest first; only those whose cosine reaches the threshold."""
        places, cosines = self.nearest(vectors, top)
        return [
            [
                Found(self.terms[place], float(cosine))
                for place, cosine in zip(own, of, strict=True)
                if place >= 0 and cosine >= threshold
            ]
            for own, of in zip(places.tolist(), cosines.tolist(), strict=True)
        ]

    def nearest(self, vectors: Vectors, top: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The rows of each vector's nearest terms (-1: there are no more), and their cosines."""
        import numpy as np

        cosines, places = self.index.search(np.ascontiguousarray(vectors, np.float32), min(top, len(self)))
        return places, cosines

    def save(self, folder: Path) -> None:
        """Write the index and its terms into a folder."""
        require_faiss().write_index(self.index, str(folder / INDEX))
        (folder / TERMS).write_text(
            json.dumps({"kind": self.kind, "terms": list(self.terms)}, ensure_ascii=False), encoding="utf-8"
        )

    @classmethod
    def load(cls, folder: Path) -> GlossaryIndex:
        """Read an index that was saved.

        Raises:
            UsageError: The folder holds none; faiss is not installed.
            DamagedError: Its files do not belong together, or cannot be read.
        """
        faiss = require_faiss()
        if not (folder / INDEX).is_file() or not (folder / TERMS).is_file():
            raise UsageError(f"{folder} holds no index of a glossary.", hint="name one with --glossary FILE")
        try:
            told = json.loads((folder / TERMS).read_text(encoding="utf-8"))
            found = cls(tuple(told["terms"]), told["kind"], faiss.read_index(str(folder / INDEX)))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise DamagedError(f"{folder / INDEX}: {str(error).splitlines()[0]}.", hint=_AGAIN) from error
        if found.index.ntotal != len(found.terms):
            raise DamagedError(
                f"{folder / INDEX} has {found.index.ntotal:,} rows, and {TERMS} {len(found.terms):,} terms.",
                hint=_AGAIN,
            )
        return found


_AGAIN = "train it again; or search a glossary of your own: --glossary FILE"


def require_faiss() -> Any:
    """Return faiss, where it is installed.

    Raises:
        UsageError: It is not.
    """
    try:
        import faiss
    except ImportError as error:
        raise UsageError("faiss is not installed.", hint="pip install 'triptych[retrieval]'") from error
    return faiss
