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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..errors import UsageError
from ..shards.strict_yaml import YamlDocument, read_yaml

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
    """The effective rules. `hash` identifies them: the SHA-256 of everything that affects a verdict, nothing else."""

    rules: tuple[Rule, ...]

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
    rules = {code: _rule(code, fields) for code, fields in _rules(_read(RULES_FILE)).items()}
    if user_file is not None:
        document = _read(user_file)
        for code, fields in _rules(document).items():
            if code not in rules:
                raise _wrong(user_file, document.line(code), f"unknown rule {code!r}", sorted(rules))
            rules[code] = _overridden(rules[code], fields, user_file, document)
    return RuleSet(tuple(rules.values()))


def joined_sql(samples: str = "samples", checks: str = "checks") -> str:
    """Return the relation that rules read, as a subquery: every measured sample with its checks.

    Samples without measurements are left out: they get no verdict.
    """
    return (
        f"(SELECT s.*, c.* EXCLUDE (id, dataset, revision) FROM {samples} AS s"
        f" JOIN {checks} AS c ON c.id = s.id AND c.dataset = s.dataset)"
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
        One row of `VERDICTS_SCHEMA` per sample, in no particular order. `duplicate_content` only sees the given rows.
    """
    import duckdb

    if isinstance(source, pa.Table):
        with duckdb.connect(":memory:") as connection:
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
