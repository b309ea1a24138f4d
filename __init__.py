"""Triptych: audio and video datasets, from a name in a catalog to a verified, versioned, trainer-ready view.

    import triptych

    triptych.pull("librispeech", samples=1000)
    triptych.validate()
    triptych.export("msswift", task="grpo")
    triptych.query("select speaker, count(*) from samples group by 1")

    triptych.catalog.list(panel="S1")         the available cards; catalog.show(name) shows all of one card
    triptych.exports.list()                   published versions; exports.verify, diff, which, relocate, pack
    triptych.store.status()                   the contents of the store; store.compact, gc, refresh, remove

Every function takes `store=PATH`; default: `TRIPTYCH_STORE`, else `./store`. Importing this package loads nothing
heavy; the functions load what they need.

The files, from the top floor down; a file imports only from lower floors and from its own folder:

    cli.py         the commands `triptych` and `catalog`
    commands/      one file per subject, a few lines per command
    api.py         the same commands as functions
    facts.py       annotations and alignments, as functions
    exports.py     the published versions, as functions
    store.py       maintenance of the store, as functions
    catalog/       from a dataset's name to its candidates: cards, sources, subsets, pulls
    converters/    from candidates to rows, and from rows to the files that trainers read
    trainers/      training on published versions
    validators/    checks, rules, reports, formats
    shards/        the store: tables, media, versions, queries
    errors.py      the errors that users see, each with its exit code
    options/       models of options: each option is defined once, as a field; calls from Python
    version.py     the version
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import DamagedError, GateError, NetworkError, ProblemsFound, TriptychError, UsageError
from .version import __version__

if TYPE_CHECKING:
    from . import catalog, exports, store
    from .api import (
        convert,
        explain,
        export,
        fetch,
        import_data,
        open_export,
        plan,
        pull,
        pull_set,
        query,
        report,
        validate,
        validate_file,
    )
    from .converters.annotations.split.calls import check_splits, split
    from .facts import align, annotate
    from .trainers.evaluation.calls import evaluate
    from .trainers.inference.calls import infer
    from .trainers.phoneme.calls import phoneme_build_vocabulary, phoneme_infer, train_phoneme
    from .trainers.preference.calls import train_dpo
    from .trainers.reap.calls import prune
    from .trainers.retrieval.calls import retrieve, train_contrastive
    from .trainers.review.calls import review_make, review_read
    from .trainers.serving.calls import train_export
    from .trainers.sft.calls import train_sft

__all__ = [
    "DamagedError",
    "GateError",
    "NetworkError",
    "ProblemsFound",
    "TriptychError",
    "UsageError",
    "__version__",
    "align",
    "annotate",
    "catalog",
    "check_splits",
    "convert",
    "evaluate",
    "explain",
    "export",
    "exports",
    "fetch",
    "import_data",
    "infer",
    "open_export",
    "phoneme_build_vocabulary",
    "phoneme_infer",
    "plan",
    "prune",
    "pull",
    "pull_set",
    "query",
    "report",
    "retrieve",
    "review_make",
    "review_read",
    "split",
    "store",
    "train_contrastive",
    "train_dpo",
    "train_export",
    "train_phoneme",
    "train_sft",
    "validate",
    "validate_file",
]

_MODULES = frozenset({"catalog", "exports", "store"})
_PLACES = {
    "align": ".facts",
    "annotate": ".facts",
    "check_splits": ".converters.annotations.split.calls",
    "evaluate": ".trainers.evaluation.calls",
    "infer": ".trainers.inference.calls",
    "retrieve": ".trainers.retrieval.calls",
    "phoneme_build_vocabulary": ".trainers.phoneme.calls",
    "phoneme_infer": ".trainers.phoneme.calls",
    "prune": ".trainers.reap.calls",
    "review_make": ".trainers.review.calls",
    "review_read": ".trainers.review.calls",
    "split": ".converters.annotations.split.calls",
    "train_dpo": ".trainers.preference.calls",
    "train_export": ".trainers.serving.calls",
    "train_phoneme": ".trainers.phoneme.calls",
    "train_contrastive": ".trainers.retrieval.calls",
    "train_sft": ".trainers.sft.calls",
}
"""The functions that lie elsewhere; all others are in `api.py`."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in __all__:
        return getattr(import_module(_PLACES.get(name, ".api"), __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
