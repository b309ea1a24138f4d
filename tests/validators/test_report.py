"""The suite over the whole table, and the report page: complete, offline, and with everything from data escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from triptych.shards.sample import SCHEMA
from triptych.validators.checks.schema import CHECKS_SCHEMA
from triptych.validators.report import EDGES, DatasetSummary, collect, write_report
from triptych.validators.rules import decide, joined_sql, load_rules
from triptych.validators.suite import EXPECTATIONS, SUITE_COLUMNS, SuiteResult, frame_sql, run_suite

EVIL = "<script>alert('1')</script>\"&"


def frame(**columns: list[Any]) -> pd.DataFrame:
    rows = len(next(iter(columns.values()))) if columns else 2
    good: dict[str, list[Any]] = {
        "id": [f"d/train/{i}" for i in range(rows)], "dataset": ["d"] * rows, "split": ["train"] * rows,
        "modality": ["audio"] * rows, "panel": ["S1"] * rows, "duration": [1.0] * rows, "license": ["CC-BY-4.0"] * rows,
    }  # fmt: skip
    return pd.DataFrame({**good, **columns})[list(SUITE_COLUMNS)]


def test_a_good_table_passes() -> None:
    result = run_suite(frame())
    assert result.passed and result.rows == 2
    assert [item.name for item in result.expectations] == list(EXPECTATIONS)
    assert all(item.passed and item.offending_rows == 0 for item in result.expectations)


@pytest.mark.parametrize(
    ("columns", "name", "ids"),
    [
        ({"id": ["a", None]}, "every sample has an id", (None,)),
        ({"id": ["a", "b", "a"]}, "ids are unique", ("a", "a")),
        ({"dataset": ["d", "D 2"]}, "dataset names are well formed", ("d/train/1",)),
        ({"dataset": ["d", "x" * 65]}, "dataset names are well formed", ("d/train/1",)),
        ({"modality": ["audio", "smell"], "panel": ["S1", None]}, "modalities are known", ("d/train/1",)),
        ({"panel": ["S2", "S1"]}, "the panel fits the modality", ("d/train/0",)),
        ({"duration": [None, -1.0]}, "durations are not negative", ("d/train/1",)),
    ],
)
def test_each_expectation_names_its_offenders(
    columns: dict[str, list[Any]], name: str, ids: tuple[str | None, ...]
) -> None:
    result = run_suite(frame(**columns))
    broken = [item for item in result.expectations if not item.passed]
    assert [(item.name, item.offending_ids) for item in broken] == [(name, ids)]
    assert broken[0].offending_rows == len(ids)
    assert not result.passed


def test_a_missing_license_is_a_warning_only() -> None:
    result = run_suite(frame(license=[None, "CC0-1.0"], split=["train", None]))
    assert [item.name for item in result.expectations if not item.passed] == ["every sample names its license"]
    assert result.passed


def test_data_docs_are_written_where_asked(tmp_path: Path) -> None:
    result = run_suite(frame(), docs=tmp_path / "docs")
    assert result.docs == tmp_path / "docs/index.html"
    assert result.docs.is_file()


def test_data_docs_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    run_suite(frame(), docs=tmp_path / "docs")
    pages = list((tmp_path / "docs").rglob("*.html"))
    assert len(pages) >= 2
    for path in pages:
        page = Page(path.read_text(encoding="utf-8"))
        loaded = [attributes.get("src") or attributes.get("href") for tag, attributes in page.tags
                  if tag in ("script", "link", "img", "iframe")]  # fmt: skip
        assert [address for address in loaded if address and address.startswith(("http", "//"))] == []


# --- the page --------------------------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    samples, checks = [], []
    for place in range(20):
        key = {"id": f"d/all/{place:02}{EVIL if place == 3 else ''}", "dataset": "d" if place < 15 else EVIL}
        samples.append({**key, "modality": "audio", "panel": "S1", "task": "asr", "text": f"words {EVIL}",
                        "audio": {"path": "a", "sha256": str(place), "duration": 2.0}, "license": "CC0"})  # fmt: skip
        checks.append({**key, "clip_s": 0.5 + place, "peak_dbfs": -80.0 if place < 8 else -3.0, "clipped_share": 0.01,
                       "audio_error": f"{EVIL}: broken" if place == 19 else None})  # fmt: skip
    made = duckdb.connect()
    made.register("samples", table(samples, SCHEMA))
    made.register("checks", table(checks, CHECKS_SCHEMA))
    made.register("verdicts", decide(made, load_rules(), relation=joined_sql()))
    return made


def test_the_numbers_add_up(connection: duckdb.DuckDBPyConnection) -> None:
    second, first = collect(connection, load_rules(), measured=joined_sql())
    assert (first.name, first.keep, first.warn, first.reject, first.samples) == ("d", 0, 7, 8, 15)
    assert first.reasons == {"clipping": 15, "silent": 8}
    assert (second.name, second.warn, second.reject) == (EVIL, 4, 1)
    assert first.hours == pytest.approx(sum(0.5 + place for place in range(15)) / 3600)
    assert list(first.lengths) == [1, 1, 1, 2, 2, 3, 5, 0, 0, 0, 0, 0, 0]
    assert len(first.lengths) == len(EDGES)
    shown = [example for example in first.examples if example.reason == "silent"]
    assert [example.id for example in shown][:3] == ["d/all/00", "d/all/01", "d/all/02"]
    assert len(shown) == 5
    assert shown[0].values == {"peak_dbfs": -80.0}


class Page(HTMLParser):
    """Collects tags, attributes and text; fails on a tag that is closed without having been opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(connection: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("page") / "report"
    suite = run_suite(connection.sql(frame_sql()).df(), docs=out / "data_docs")
    summaries = collect(connection, load_rules(), measured=joined_sql())
    path = write_report(out, summaries, load_rules(), suite=suite, title=f"Report {EVIL}")
    assert path == out / "index.html"
    return Page(path.read_text())


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "base", "form"}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        assert not {"src", "srcset", "action", "xlink:href"} & set(attributes)
        href = attributes.get("href") or "#"
        assert href.startswith("#") or href == "data_docs/index.html"
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    assert not re.search(r"url\(|@import", page.text)


def test_what_came_from_data_is_shown_as_text(page: Page) -> None:
    assert page.text.count(EVIL) >= 4
    assert f"{EVIL}: broken" in page.text
    assert "d/all/03" + EVIL in page.text


def test_the_page_names_reasons_meanings_and_offenders(page: Page) -> None:
    assert load_rules().why["silent"] in page.text
    assert "dataset names are well formed" in page.text
    assert load_rules().hash[:12] in page.text
    assert sum(tag == "svg" for tag, _ in page.tags) == 3 + 2
    assert sum(tag == "details" for tag, _ in page.tags) == 2


def test_an_empty_report_is_still_a_page(tmp_path: Path) -> None:
    nothing = DatasetSummary(name="d", keep=0, warn=0, reject=0, hours=0.0, reasons={})
    suite = SuiteResult(0, (), tmp_path / "elsewhere/index.html")
    text = write_report(tmp_path / "r", [nothing], load_rules(), suite=suite).read_text()
    assert "No rule fired." in text
    assert "elsewhere" not in text
