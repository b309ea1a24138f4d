"""Rules decide on measurements: keep, warn or reject, with the reasons.

The rules are data (`rules.yaml` beside this file): each is a DuckDB expression over a sample's columns joined with its
row of the checks table (`joined_sql`). Deciding is one query, so a million rows take seconds and can be decided again
after every change of a threshold, without measuring again. A user's file may change levels and thresholds, but not
expressions.

A sample is `reject` if a rule of that level fired, else `warn` if any fired, else `keep`. `reasons` lists the codes in
the order of the file. A rule whose expression is null, because a measurement is missing, does not fire.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..errors import UsageError
from ..shards.store.database import session
from ..shards.strict_yaml import YamlDocument, read_yaml
from .repeats import repeats_sql

if TYPE_CHECKING:
    import duckdb

VERDICTS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("rule_set", pa.string()),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
    ]
)
LEVELS = ("warn", "reject", "off")
RULES_FILE = Path(__file__).with_name("rules.yaml")
_THRESHOLD = re.compile(r"\$(\w+)")

Threshold = float | int | str | list[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `modality` and `tasks` are empty if it applies to all."""

    code: str
    level: str
    when: str
    why: str
    modality: tuple[str, ...]
    tasks: tuple[str, ...]
    thresholds: Mapping[str, Threshold]

    def document(self) -> dict[str, Any]:
        """The rule for lists of rules: `code, level, applies_to, thresholds, when, why`."""
        parts = [", ".join(self.modality), ", ".join(self.tasks)]
        return {
            "code": self.code,
            "level": self.level,
            "applies_to": "; ".join(part for part in parts if part) or "all",
            "thresholds": dict(self.thresholds),
            "when": " ".join(self.when.split()),
            "why": self.why,
        }

    def sql(self) -> str:
        """The boolean expression with its thresholds filled in."""
        condition = _THRESHOLD.sub(lambda match: _literal(self.thresholds[match[1]]), self.when)
        parts = [f"({condition})"]
        if self.tasks:
            parts.insert(0, f"task IN {_literal(list(self.tasks))}")
        if self.modality:
            parts.insert(0, f"modality IN {_literal(list(self.modality))}")
        return " AND ".join(parts)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The effective rules. `hash` identifies them: the SHA-256 of everything that affects a verdict, nothing else.

    `overrides` has the levels and thresholds that differ from the package's: code -> `level`, `thresholds`.
    """

    rules: tuple[Rule, ...]
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        normal = [
            [rule.code, rule.level, sorted(rule.modality), sorted(rule.tasks), " ".join(rule.when.split()),
             {name: _plain(value) for name, value in rule.thresholds.items()}]
            for rule in sorted(self.rules, key=lambda rule: rule.code)
            if rule.level != "off"
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(normal, sort_keys=True).encode()).hexdigest()

    @property
    def why(self) -> dict[str, str]:
        """Code -> its meaning, for reports."""
        return {rule.code: rule.why for rule in self.rules}

    def codes(self, level: str) -> list[str]:
        """The codes of one level."""
        return [rule.code for rule in self.rules if rule.level == level]

    def sql(self, relation: str) -> str:
        """Return the query that applies the rules to `relation`: a table, a view or a subquery in parentheses."""
        active = [rule for rule in self.rules if rule.level != "off"]
        fired = ",\n".join(f"CASE WHEN {rule.sql()} THEN {_literal(rule.code)} END" for rule in active)
        rejecting = ", ".join(_literal(code) for code in self.codes("reject"))
        return (
            f"WITH fired AS (SELECT id, dataset, [reason FOR reason IN [{fired}] IF reason IS NOT NULL]::VARCHAR[]"
            f" AS reasons FROM {relation})\n"
            f"SELECT id, dataset, '{self.hash}' AS rule_set, CASE WHEN list_has_any(reasons, [{rejecting}]::VARCHAR[])"
            " THEN 'reject' WHEN len(reasons) > 0 THEN 'warn' ELSE 'keep' END AS verdict, reasons FROM fired"
        )


def load_rules(user_file: Path | None = None) -> RuleSet:
    """Load the package's rules, with their levels and thresholds overridden by `user_file`.

    Raises:
        UsageError: The file has an unknown code, key, level or threshold, or a value of the wrong type; the message
            names file and line.
    """
    rules = _package_rules()
    if user_file is None:
        return RuleSet(tuple(rules.values()))
    document = _read(user_file)
    for code, fields in _rules(document).items():
        if code not in rules:
            raise _wrong(user_file, document.line(code), f"unknown rule {code!r}", sorted(rules))
        rules[code] = _overridden(rules[code], fields, user_file, document)
    return RuleSet(tuple(rules.values()), _overrides(rules))


def override_rules(overrides: Mapping[str, Mapping[str, Any]]) -> RuleSet:
    """Load the package's rules with the overrides that a run recorded.

    Raises:
        UsageError: An override names a rule or threshold that the package no longer has.
    """
    rules = _package_rules()
    for code, fields in overrides.items():
        thresholds = fields.get("thresholds", {})
        if code not in rules or not thresholds.keys() <= rules[code].thresholds.keys():
            raise UsageError(
                f"The rules that decided last change {code} in a way that this version does not know: {dict(fields)}.",
                hint="give the rules again: triptych validate --rules FILE, or --rules default",
            )
        rule = rules[code]
        rules[code] = replace(rule, level=fields.get("level", rule.level), thresholds={**rule.thresholds, **thresholds})
    return RuleSet(tuple(rules.values()), _overrides(rules))


def _package_rules() -> dict[str, Rule]:
    return dict(_rules_in(RULES_FILE))


@lru_cache(maxsize=1)
def _rules_in(path: Path) -> Mapping[str, Rule]:
    """The rules of a file of the package, which does not change while the process runs."""
    return {code: _rule(code, fields) for code, fields in _rules(_read(path)).items()}


def _overrides(rules: Mapping[str, Rule]) -> dict[str, dict[str, Any]]:
    """What differs from the package's rules."""
    found: dict[str, dict[str, Any]] = {}
    for code, own in _package_rules().items():
        rule = rules[code]
        if rule.level != own.level:
            found.setdefault(code, {})["level"] = rule.level
        thresholds = {
            name: value for name, value in rule.thresholds.items() if _plain(value) != _plain(own.thresholds[name])
        }
        if thresholds:
            found.setdefault(code, {})["thresholds"] = thresholds
    return found


def joined_sql(samples: str = "samples", checks: str = "checks", repeats: str | None = None) -> str:
    """Return the relation that rules read, as a subquery: every measured sample with its checks and its repeats.

    Samples without measurements are left out: they get no verdict.

    Args:
        repeats: The relation of the repeats in the whole store (`repeats.py`); default: those among `samples`, by the
            corpus's splits.
    """
    repeats = repeats or repeats_sql(samples, split="split")
    return (
        f"(SELECT s.*, c.* EXCLUDE (id, dataset, revision), r.copies, r.held_out_share FROM {samples} AS s"
        f" JOIN {checks} AS c ON c.id = s.id AND c.dataset = s.dataset"
        f" LEFT JOIN {repeats} AS r ON r.id = s.id AND r.dataset = s.dataset)"
    )


def decide_in_batches(
    connection: duckdb.DuckDBPyConnection, rules: RuleSet, *, relation: str, rows: int = 10_000
) -> Iterator[pa.RecordBatch]:
    """Decide like `decide`, a batch of rows at a time."""
    for batch in connection.sql(rules.sql(relation)).to_arrow_reader(rows):
        yield batch.cast(VERDICTS_SCHEMA)


def decide(source: duckdb.DuckDBPyConnection | pa.Table, rules: RuleSet, *, relation: str = "measured") -> pa.Table:
    """Decide on every row of the joined relation.

    Args:
        source: A DuckDB connection in which `relation` names the rows, or the rows themselves.
        rules: The rules to apply.
        relation: A table, a view, or a subquery such as `joined_sql()`.

    Returns:
        One row of `VERDICTS_SCHEMA` per sample, in no particular order.
    """
    if isinstance(source, pa.Table):
        with session() as connection:
            connection.register("measured", source)
            return decide(connection, rules)
    result: pa.Table = source.sql(rules.sql(relation)).to_arrow_table()
    return result.cast(VERDICTS_SCHEMA)


def _plain(value: Threshold) -> Any:
    return sorted(value) if isinstance(value, list) else value if isinstance(value, str) else float(value)


def _literal(value: Threshold) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_literal(item) for item in value) + ")"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def _rule(code: str, fields: dict[str, Any]) -> Rule:
    return Rule(
        code=code,
        level=fields["level"],
        when=fields["when"],
        why=fields["why"],
        modality=tuple(fields.get("modality", ())),
        tasks=tuple(fields.get("tasks", ())),
        thresholds=dict(fields.get("thresholds", {})),
    )


def _overridden(rule: Rule, fields: dict[str, Any], path: Path, document: YamlDocument) -> Rule:
    for key in fields:
        if key not in ("level", "thresholds"):
            raise _wrong(
                path, document.line(rule.code, key), f"{rule.code}: unknown key {key!r}", ["level", "thresholds"]
            )
    level = fields.get("level", rule.level)
    if level is False:  # a bare `off` is a boolean in YAML 1.1
        level = "off"
    if level not in LEVELS:
        raise _wrong(path, document.line(rule.code, "level"), f"{rule.code}: unknown level {level!r}", LEVELS)
    thresholds = dict(rule.thresholds)
    given = fields.get("thresholds", {})
    if not isinstance(given, dict):
        raise _wrong(
            path,
            document.line(rule.code, "thresholds"),
            f"{rule.code}: thresholds is not a mapping",
            ["thresholds: {name: 1}"],
        )
    for name, value in given.items():
        line = document.line(rule.code, "thresholds", name)
        if name not in thresholds:
            raise _wrong(path, line, f"{rule.code}: unknown threshold {name!r}", sorted(thresholds))
        if not _same_type(thresholds[name], value):
            raise _wrong(path, line, f"{rule.code}: {name} is {value!r}", [f"a value like {thresholds[name]!r}"])
        thresholds[name] = value
    return replace(rule, level=level, thresholds=thresholds)


def _same_type(default: Threshold, value: Any) -> bool:
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(item, str) for item in value) and bool(value)
    if isinstance(default, str):
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _wrong(path: Path, line: int, what: str, expected: Iterable[str]) -> UsageError:
    return UsageError(f"{path}:{line}: {what}.", hint="expected one of: " + ", ".join(expected))


def _read(path: Path) -> YamlDocument:
    """Read a file of rules: a mapping of codes to mappings of fields."""
    document = read_yaml(path, noun="file of rules")
    _check_mapping(document, (), path)
    for code in _rules(document):
        _check_mapping(document, (code,), path)
    return document


def _rules(document: YamlDocument) -> dict[str, dict[str, Any]]:
    return document.value or {}


def _check_mapping(document: YamlDocument, place: tuple[str, ...], path: Path) -> None:
    value = document.value[place[0]] if place else (document.value if document.value is not None else {})
    if not isinstance(value, dict):
        raise UsageError(f"{path}:{document.line(*place)}: expected a mapping, `name: value`.")
    for key in value:
        if not isinstance(key, str):
            line = document.line(*place)
            raise UsageError(f"{path}:{line}: YAML parses a name as {key!r}; put it in quotes.")
