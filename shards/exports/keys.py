"""The version made by the export with an identity, so that an equal request finds it.

STORE/exports/<name>/.keys/<key>   the version's label, and the account of the request
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..store.store import Store
from .versions import Version, labels, load, require_data, without_rows


def remembered(store: Store, name: str, key: str) -> tuple[Version, dict[str, Any]] | None:
    """Return the version made earlier for this identity, and its account; None if it is gone or was withdrawn.

    Raises:
        DamagedError: Its data is missing or damaged.
    """
    path = store.root / "exports" / name / ".keys" / key
    if not path.is_file():
        return None
    label, _, account = path.read_text(encoding="ascii").partition("\n")
    if label not in labels(store, name):
        return None
    version = load(store, name, label)
    if without_rows(version):
        return None
    return require_data(version), json.loads(account) if account else version.manifest


def remember(store: Store, name: str, key: str, label: str, account: Mapping[str, Any]) -> None:
    """Record that the identity `key` produced the version `label`, with its own account.

    The manifest has the account of the request that published the version; another one may have made the same bytes of
    samples that have changed since, or of others that were left out.
    """
    folder = store.root / "exports" / name / ".keys"
    folder.mkdir(parents=True, exist_ok=True)
    scratch = store.media.new_scratch()
    scratch.write_text(f"{label}\n{json.dumps(account) if account else ''}", encoding="ascii")
    scratch.rename(folder / key)
