"""Rules stay with a dataset until others are given, and are recorded; the report and the command say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import triptych
from support import imported
from support.places import ROOT
from support.stores import cli, one
from triptych.commands.reference import rules_page
from triptych.errors import UsageError
from triptych.shards.store.store import Store
from triptych.validators.report import report_store
from triptych.validators.rules import load_rules


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets of an utterance each."""
    folder = tmp_path_factory.mktemp("rules")
    place = imported.bring_in(folder / "store", "a", imported.speech_rows(folder / "in", 1), folder)
    return imported.bring_in(place, "b", imported.speech_rows(folder / "in", 1, start=7), folder)


def test_rules_stay_until_others_are_given(store: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("too_short: {thresholds: {min_s: 5}}\nclipping: {level: off}\n")
    (strict,) = triptych.validate("a", rules=rules, store=store, workers=1)
    rules.unlink()
    again, other = triptych.validate(store=store, workers=1)
    assert strict.rejected == again.rejected == other.rejected == 1  # `b` was never validated: the store's last rules
    assert again.rule_set == strict.rule_set == one(store, "select distinct rule_set from verdicts")
    assert again.overrides == {"too_short": {"thresholds": {"min_s": 5}}, "clipping": {"level": "off"}}
    done = cli("validate", "--store", store)
    assert done.returncode == 1 and f"a, b: by the rules that decided last, of {rules}" in done.stdout
    triptych.validate("b", rules="default", store=store, workers=1)
    first, second = triptych.validate(store=store, workers=1)
    assert (first.rejected, second.rejected) == (1, 0) and second.rule_set == load_rules().hash
    manifest = triptych.export("unified", store=store, include_rejected=True).version.manifest
    assert manifest["rules"]["a"] == {
        "rule_set": first.rule_set, "file": str(rules), "overrides": first.overrides,
    }  # fmt: skip
    assert manifest["rules"]["b"] == {"rule_set": second.rule_set, "file": None, "overrides": {}}
    page = report_store(Store.open(store), tmp_path / "report").page.read_text()
    assert first.rule_set[:12] in page and second.rule_set[:12] in page
    with pytest.raises(UsageError, match="verdicts on a are of other rules"):
        triptych.report(tmp_path / "other", store=store, rules="default")
    triptych.validate(rules="default", store=store, workers=1)


def test_the_report_and_the_command_say_the_same(tmp_path: Path) -> None:
    rows = [row | {"text": "abc"} for row in imported.speech_rows(tmp_path / "in", 1)]
    place = imported.bring_in(tmp_path / "store", "odd", rows, tmp_path, values={"panel": "S3"})
    done = cli("validate", "--report", tmp_path / "report", "--store", place)
    assert done.returncode == 1 and "panel_mismatch" in done.stdout
    page = (tmp_path / "report/index.html").read_text()
    assert '<tr class="reject"><th scope=row>the panel fits the modality' in page and "panel_mismatch" in page
    assert "not true that the panel fits the modality (reject): 1 row" in done.stderr
    assert "every sample names its license (warn)" in done.stderr
    with pytest.raises(triptych.ProblemsFound):
        triptych.export("unified", store=place)


def test_the_rules_are_listed_with_and_without_a_file(tmp_path: Path) -> None:
    listed = json.loads(cli("validate", "--list-rules", "--json", "--store", tmp_path / "none").stdout)
    assert [rule["code"] for rule in listed] == [rule.code for rule in load_rules().rules]
    rules = tmp_path / "rules.yaml"
    rules.write_text("silent: {level: warn}\n")
    own = json.loads(cli("validate", "--list-rules", "--rules", rules, "--json").stdout)
    assert [(a["code"], b["level"]) for a, b in zip(listed, own, strict=True) if a != b] == [("silent", "warn")]
    assert "silent" in cli("validate", "--list-rules").stdout


def test_the_page_of_rules_is_generated() -> None:
    page = (ROOT / "docs/reference/rules.md").read_text()
    assert page == rules_page(), "python -m triptych.commands.reference"
