"""Which rules decide on a dataset: those given, else those that decided last.

Every validation records its levels and thresholds, as far as they differ from the package's, with the run. A dataset
keeps the rules it was last validated with; one that never was takes those of the store's last validation. `--rules
default` goes back to the package's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .rules import RuleSet, load_rules, override_rules

if TYPE_CHECKING:
    import duckdb

DEFAULT = Path("default")
"""Stands for the package's rules where a file of rules is expected."""


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """The rules of one dataset, the file that they came from (None: the package's), and whether they were given now."""

    rules: RuleSet
    file: str | None = None
    given: bool = False

    def record(self) -> dict[str, Any]:
        """The choice as recorded in the options of the run."""
        return {"rule_set": self.rules.hash, "rules": {"file": self.file, "overrides": self.rules.overrides}}


def given_choice(file: Path | None) -> RuleChoice | None:
    """Return the choice of a user's file, or of `default`; None if none is given.

    Raises:
        UsageError: The file is not a valid file of rules.
    """
    if file is None:
        return None
    if file == DEFAULT:
        return RuleChoice(load_rules(), given=True)
    return RuleChoice(load_rules(file), str(file.absolute()), given=True)


class RecordedChoices:
    """The choices that earlier validations recorded."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        rows = connection.execute(
            "SELECT dataset, arg_max(options, finished_at) FROM runs "
            "WHERE stage = 'validate' GROUP BY dataset ORDER BY max(finished_at)"
        ).fetchall()
        self._connection = connection
        self._by_dataset: dict[str, Mapping[str, Any]] = {str(name): json.loads(options) for name, options in rows}
        self._last = next(reversed(self._by_dataset.values()), {})

    def of(self, dataset: str) -> RuleChoice:
        """Return the choice for a dataset.

        Raises:
            UsageError: It names a rule or threshold that this version of the package does not have.
        """
        record = self._by_dataset.get(dataset, self._last).get("rules") or {}
        return RuleChoice(override_rules(record.get("overrides") or {}), record.get("file"))

    def decided(self) -> dict[str, dict[str, Any]]:
        """Return the rules behind the stored verdicts, by dataset: `rule_set`; `file` and `overrides` if recorded."""
        rows = self._connection.execute("SELECT dataset, max(rule_set) FROM verdicts GROUP BY dataset ORDER BY dataset")
        found: dict[str, dict[str, Any]] = {}
        for dataset, rule_set in rows.fetchall():
            options = self._by_dataset.get(dataset, {})
            record = (options.get("rules") or {}) if options.get("rule_set") == rule_set else {}
            found[str(dataset)] = {"rule_set": rule_set, **record}
        return found
