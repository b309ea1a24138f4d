"""The role of a split: `train`, `validation` or `test`; as the dataset's card says, else guessed from the name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from .store.sql import quote

if TYPE_CHECKING:
    import duckdb

ROLES = ("train", "validation", "test")
HELD_OUT = ("validation", "test")
_GUESSED = {"train": ("train*",), "validation": ("dev*", "val*"), "test": ("test*", "eval*")}
_WORDS = {"validation": "dev|devel|val|valid|validation", "test": "test|testing|eval|evaluation|heldout|holdout"}
"""What a name says with one of its words, where it does not begin so: `en_test`, `asr.dev`."""
_ALSO_HELD_OUT = f"[^a-z]({'|'.join(_WORDS.values())})([^a-z]|$)"
"""A name such as `train_test` says both: rows of the test set may be in it, so it has no role by its name."""
_ALSO_TRAIN = "(^|[^a-z])train"

CardRoles = Mapping[str, Mapping[str, str]]
"""The roles on the cards: dataset -> split -> role."""


def read_corpora(connection: duckdb.DuckDBPyConnection, datasets: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Return what the card of each dataset said at its last pull, or its import was told: `roles` of splits, `case`.

    Without datasets, of all of them.
    """
    condition = f" AND dataset IN ({', '.join(map(quote, datasets))})" if datasets else ""
    rows = connection.execute(
        "SELECT dataset, arg_max(details, finished_at) FROM runs "
        f"WHERE json_exists(details, '$.corpus'){condition} GROUP BY dataset ORDER BY 1"
    ).fetchall()
    return {str(dataset): json.loads(details)["corpus"] for dataset, details in rows}


def card_roles(corpora: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the roles in the result of `read_corpora`."""
    return {dataset: corpus.get("roles", {}) for dataset, corpus in corpora.items()}


def role_sql(roles: CardRoles, *, dataset: str = "dataset", split: str = "effective_split") -> str:
    """Return SQL for the role of a split, given the SQL of the dataset and the split; null if it is unknown."""
    known = " ".join(
        f"WHEN {dataset} = {quote(name)} AND {split} = {quote(each)} THEN {quote(role)}"
        for name, of_dataset in roles.items()
        for each, role in of_dataset.items()
    )
    guessed = " ".join(
        f"WHEN {' OR '.join(f'lower({split}) GLOB {quote(glob)}' for glob in globs)} THEN {quote(role)}"
        for role, globs in _GUESSED.items()
    )
    guessed += f" WHEN regexp_matches(lower({split}), '{_ALSO_TRAIN}') THEN NULL "
    guessed += " ".join(f"WHEN regexp_matches(lower({split}), '{_word(role)}') THEN {quote(role)}" for role in _WORDS)
    both = f"lower({split}) GLOB 'train*' AND regexp_matches(lower({split}), '{_ALSO_HELD_OUT}')"
    return f"CASE {known} WHEN {both} THEN NULL {guessed} END"


def effective_role_sql(roles: CardRoles, *, assigned: str = "assigned_split", split: str = "effective_split") -> str:
    """Return SQL for the role of a sample: an assigned split of a role's name has it, whatever the card calls so."""
    named = f"{assigned} IN ({', '.join(map(quote, ROLES))})"
    return f"CASE WHEN {named} THEN {assigned} ELSE {role_sql(roles, split=split)} END"


def guessed_role(split: str) -> str | None:
    """The role of a split by its name alone, as `role_sql` guesses it."""
    name = split.lower()
    if fnmatchcase(name, "train*") and re.search(_ALSO_HELD_OUT, name):
        return None
    begun = next((role for role, globs in _GUESSED.items() if any(fnmatchcase(name, glob) for glob in globs)), None)
    if begun is not None or re.search(_ALSO_TRAIN, name):
        return begun
    return next((role for role in _WORDS if re.search(_word(role), name)), None)


def _word(role: str) -> str:
    """A regular expression for names with a word of that role."""
    return f"(^|[^a-z])({_WORDS[role]})([^a-z]|$)"


def role_of_name(name: str) -> str | None:
    """The role of a split by its whole name (`train`, `dev`, `valid`, `test`), guessed from nothing else."""
    words = {"train": ("train", "training"), "validation": ("dev", "devel", "val", "valid", "validation"),
             "test": ("test", "testing", "eval", "evaluation")}  # fmt: skip
    return next((role for role, names in words.items() if name.lower() in names), None)


def is_held_out(split: str) -> bool:
    """Whether a name, role or glob asks for validation or test data and not for training data, by its text alone."""
    asked = split.lower()
    globs = [glob for role in HELD_OUT for glob in _GUESSED[role]]
    named = any(fnmatchcase(asked, glob) or fnmatchcase(glob.rstrip("*"), asked) for glob in globs)
    worded = any(re.search(_word(role), asked) for role in _WORDS) and not re.search(_ALSO_TRAIN, asked)
    return (named or worded) and not fnmatchcase("train", asked)
