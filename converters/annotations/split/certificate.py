"""The certificate of a split: what must not be in two splits, and which groups are in which, as a file of facts.

    STORE/splits/<kind>.json

A kind of split is its key, shares and the other options but the selection; its name is that of the key and a hash. The
assigned splits name it as their producer, `split:<kind>`, so that each export of them finds what must hold and checks
it again (`check.py`). A later split of the same kind writes the file anew: it says what holds for all samples of the
kind. Groups are named by hashes; the file holds neither ids nor values of samples.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import DamagedError
from ....shards.exports.versions import write_json
from ....shards.store.store import Store
from .key import Key, key_of
from .options import SplitOptions

FOLDER = "splits"
PRODUCER = "split:"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """What a split is of; splits of one kind go on where the earlier ones stopped."""

    by: str
    across: bool
    shares: str
    balance: str
    stratify: str | None
    seed: int
    override_splits: bool
    ungrouped: str | None

    @classmethod
    def of(cls, options: SplitOptions) -> Kind:
        return cls(
            options.key.text, options.across, str(options.chosen_shares), options.balance, options.stratify,
            options.seed, options.override_splits, options.ungrouped,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """`speaker-1a2b3c4d`."""
        text = json.dumps([getattr(self, name) for name in self.__slots__], ensure_ascii=False)
        word = re.sub(r"[^a-z0-9]+", "-", self.by.lower()).strip("-")[:32] or "key"
        return f"{word}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def producer(self) -> str:
        return PRODUCER + self.name

    @property
    def key(self) -> Key:
        return key_of(self.by, flag="--by", across=self.across)

    def command(self, datasets: Sequence[str]) -> str:
        """The command that makes a split of this kind."""
        words = ["triptych", "split", *datasets, "--by", self.by, "--shares", self.shares, "--balance", self.balance]
        words += ["--stratify", self.stratify] if self.stratify is not None else []
        words += ["--seed", str(self.seed)] if self.seed else []
        words += ["--across"] if self.across else []
        words += ["--ungrouped", self.ungrouped] if self.ungrouped is not None else []
        return shlex.join([*words, "--override-splits"] if self.override_splits else words)

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def certificate_path(store: Store, kind: str) -> Path:
    return store.root / FOLDER / f"{kind}.json"


def write_certificate(store: Store, kind: Kind, facts: Mapping[str, Any]) -> Path:
    """Write the certificate of a kind of split, in the place of an earlier one."""
    path = certificate_path(store, kind.name)
    path.parent.mkdir(exist_ok=True)
    scratch = path.with_name(f".{path.name}")
    write_json(scratch, {"certificate": FORMAT, "kind": kind.name, **kind.document(), **facts})
    scratch.rename(path)
    return path


def read_kind(store: Store, name: str) -> Kind:
    """Read from its certificate what a kind of split is of.

    Raises:
        DamagedError: The file is missing or is not the one that was written for that kind.
    """
    path = certificate_path(store, name)
    again = "make the split again: triptych split --by KEY"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        kind = Kind(**{name: document[name] for name in Kind.__slots__})
    except OSError as error:
        raise DamagedError(f"{path}: {error.strerror}: samples have splits of it.", hint=again) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path}: not the certificate of a split ({error}).", hint=again) from error
    if kind.name != name:
        raise DamagedError(f"{path}: it is the certificate of {kind.name}, or was changed.", hint=again)
    return kind
