"""Expectations of the whole table of samples, as a Great Expectations suite.

Checks and rules look at single samples; the suite looks at the table: unique ids, well-formed names, panels that match
their modality. It runs in memory on a frame of the few columns it needs (`frame_sql`), sends no analytics, and can
write Great Expectations' own Data Docs: `_make_offline` takes out what these pages would load from the internet.

Great Expectations takes seconds to import, so it is only imported when `run_suite` is called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shards.sample import MODALITIES, NAME, PANEL_OF_MODALITY, PANELS

if TYPE_CHECKING:
    import pandas as pd

SUITE_COLUMNS = ("id", "dataset", "split", "modality", "panel", "duration", "license")
OFFENDERS = 20
"""Number of offending ids kept for each expectation."""

_NAME = f"^{NAME.pattern}$"
_FROM_ELSEWHERE = re.compile(
    r"""<script\b[^>]*\bsrc=["'](?:https?:)?//[^>]*>\s*</script>|<(?:link|img)\b[^>]*\b(?:href|src)=["'](?:https?:)?//[^>]*>""",
    re.IGNORECASE,
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left }
.collapse, .tab-pane { display: block } ul { padding-left: 1.2rem }
"""
_PANELS = [*PANEL_OF_MODALITY.items(), *(("text", panel) for panel in PANELS)]

EXPECTATIONS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "every sample has an id": ("reject", "ExpectColumnValuesToNotBeNull", {"column": "id"}),
    "ids are unique": ("reject", "ExpectColumnValuesToBeUnique", {"column": "id"}),
    "every sample has a dataset": ("reject", "ExpectColumnValuesToNotBeNull", {"column": "dataset"}),
    "dataset names are well formed": (
        "reject", "ExpectColumnValuesToMatchRegex", {"column": "dataset", "regex": _NAME},
    ),
    "split names are well formed": ("warn", "ExpectColumnValuesToMatchRegex", {"column": "split", "regex": _NAME}),
    "every sample has a modality": ("reject", "ExpectColumnValuesToNotBeNull", {"column": "modality"}),
    "modalities are known": (
        "reject", "ExpectColumnValuesToBeInSet", {"column": "modality", "value_set": list(MODALITIES)},
    ),
    "the panel fits the modality": (
        "reject",
        "ExpectColumnValuesToBeInSet",
        # A separate column, because the expectation for a pair of columns takes 50 s on a million rows.
        {"column": "modality_panel", "value_set": [f"{modality} {panel}" for modality, panel in _PANELS]},
    ),
    "durations are not negative": ("reject", "ExpectColumnValuesToBeBetween", {"column": "duration", "min_value": 0}),
    "every sample names its license": ("warn", "ExpectColumnValuesToNotBeNull", {"column": "license"}),
}  # fmt: skip
"""Name -> level if it fails, class of Great Expectations, and its arguments."""


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One expectation: whether it holds, the number of rows that violate it, and the first of their ids."""

    name: str
    level: str
    passed: bool
    offending_rows: int
    offending_ids: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """All expectations on one frame; `docs` is the start page of the Data Docs, if they were requested."""

    rows: int
    expectations: tuple[ExpectationResult, ...]
    docs: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether every expectation of level `reject` holds."""
        return all(result.passed or result.level == "warn" for result in self.expectations)


def frame_sql(samples: str = "samples") -> str:
    """Return the query for the frame of `run_suite`, over the table of samples."""
    return (
        "SELECT id, dataset, split, modality, panel, coalesce(end_s - coalesce(start_s, 0), audio.duration,"
        f" video.duration) AS duration, license FROM {samples}"
    )


def run_suite(frame: pd.DataFrame, *, docs: Path | None = None) -> SuiteResult:
    """Validate the expectations on a frame with the columns `SUITE_COLUMNS`.

    Args:
        frame: One row per sample.
        docs: A folder to write Data Docs to.
    """
    rows = frame.loc[:, list(SUITE_COLUMNS)]
    frame = rows.assign(modality_panel=rows["modality"] + " " + rows["panel"])
    context, definition = _context()
    outcome = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": ["id"],
            "partial_unexpected_count": OFFENDERS,
        },
    )
    results = {item.expectation_config.meta["name"]: _result(item) for item in outcome.results}
    page = None if docs is None else build_docs(context, definition, frame, docs)
    return SuiteResult(len(frame), tuple(results[name] for name in EXPECTATIONS), page)


def build_docs(context: Any, definition: Any, frame: pd.DataFrame, directory: Path) -> Path:
    """Write the Data Docs of one validation into a folder and return their start page."""
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    directory.mkdir(parents=True, exist_ok=True)
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(directory.resolve())},
    }
    context.add_data_docs_site(site_name="triptych", site_config=site)
    action = UpdateDataDocsAction(name="data docs", site_names=["triptych"])
    checkpoint = gx.Checkpoint(name="samples", validation_definitions=[definition], actions=[action])
    context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
    for page in directory.rglob("*.html"):
        page.write_text(_make_offline(page.read_text(encoding="utf-8")), encoding="utf-8")
    return directory / "index.html"


def _make_offline(page: str) -> str:
    """Take the scripts, styles and pictures of other hosts out of a page, and give it a plain style of its own."""
    return _FROM_ELSEWHERE.sub("", page).replace("</head>", f"<style>{_STYLE}</style></head>", 1)


def _context() -> tuple[Any, Any]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.delete_data_docs_site("local_site")
    asset = context.data_sources.add_pandas("triptych").add_dataframe_asset("samples")
    suite = gx.ExpectationSuite(name="samples")
    for name, (level, kind, arguments) in EXPECTATIONS.items():
        severity = "warning" if level == "warn" else "critical"
        expectation = getattr(gx.expectations, kind)(**arguments, severity=severity, meta={"name": name})
        suite.add_expectation(expectation)
    batch = asset.add_batch_definition_whole_dataframe("all")
    definition = gx.ValidationDefinition(name="samples", data=batch, suite=context.suites.add(suite))
    return context, context.validation_definitions.add(definition)


def _result(item: Any) -> ExpectationResult:
    name = item.expectation_config.meta["name"]
    result = item.result
    if not item.success and "unexpected_count" not in result:
        raise ValueError(f"the expectation {name!r} could not be evaluated: {item.exception_info}")
    ids = [row.get("id") for row in result.get("partial_unexpected_index_list") or ()]
    return ExpectationResult(
        name=name,
        level=EXPECTATIONS[name][0],
        passed=bool(item.success),
        offending_rows=int(result.get("unexpected_count", 0)),
        offending_ids=tuple(value if isinstance(value, str) else None for value in ids),
    )
