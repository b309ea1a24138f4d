"""What our validator says of a tar shard is what WebDataset does with it, as it answered itself."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from support.stores import cli
from support.trainer_answers import asked, recorded
from support.trainer_rows.tar_shards import SHARDS
from triptych.errors import UsageError
from triptych.validators.consumers import CONSUMERS
from triptych.validators.formats import FORMATS, Finding, summarise_file, validate_file
from triptych.validators.formats.mend import mend_file
from triptych.validators.formats.toolkits.tar_samples import End, read_samples

CODES = {
    "no_shard", "cut_member", "broken_header", "after_the_end", "wrong_checksum", "no_end_mark", "no_samples",
    "repeated_member", "skipped_member", "repeated_key", "dotted_name", "missing_member", "empty_member", "bad_member",
    "pickled_member",
}  # fmt: skip


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """What our validator says of each shard."""
    path = tmp_path_factory.mktemp("shards") / "shard.tar"
    found = {}
    for name, held in SHARDS.items():
        path.write_bytes(held)
        found[name] = list(validate_file(path, "webdataset"))
    return found


def test_a_shard_fares_as_the_validator_says(findings: dict[str, list[Finding]]) -> None:
    answers, wrong = recorded("webdataset")["shards"], {}
    for name, found in findings.items():
        crashed = [each for each in found if each.outcome == "crashed"]
        said = {
            "undecoded": sorted({each.row for each in crashed if each.stage == "decoding"}),
            "stopped": any(each.stage == "reading" for each in crashed),
        }
        if {key: answers[name][key] for key in said} != said:
            wrong[name] = (answers[name], said)
    assert wrong == {}
    assert {each.code for found in findings.values() for each in found} == CODES
    assert set(FORMATS["webdataset"].PROBLEMS) >= CODES


def test_samples_are_those_that_web_dataset_gives(tmp_path: Path) -> None:
    answers, path = recorded("webdataset")["shards"], tmp_path / "shard.tar"
    assert list(answers) == list(SHARDS)
    for name, held in SHARDS.items():
        path.write_bytes(held)
        read = [each for each in read_samples(path, wanted=frozenset()) if not isinstance(each, End)]
        assert [f"{each.key}: {' '.join(each.members)}" for each in read] == answers[name]["given"], name


def test_what_web_dataset_loses_without_a_word_is_an_error(findings: dict[str, list[Finding]]) -> None:
    answers = recorded("webdataset")["shards"]
    for name, found in findings.items():
        if not answers[name]["stopped"] and not any(each.severity == "error" for each in found):
            given = sum(len(each.rpartition(": ")[2].split()) for each in answers[name]["given"])
            with tarfile.open(fileobj=io.BytesIO(SHARDS[name]), ignore_zeros=not name.endswith("at its end")) as tar:
                packed = [each for each in tar if each.isreg() and each.name != "__meta__"]
            cut = any(each.code == "no_end_mark" for each in found)
            assert given == len(packed) or cut, name


def test_rows_of_a_shard_are_counted_and_other_files_are_refused(tmp_path: Path) -> None:
    shard = tmp_path / "train-000000.tar"
    shard.write_bytes(SHARDS["pair 10 without flac"])
    summary = summarise_file(shard, "webdataset")
    assert (summary.rows, summary.errors, summary.counts) == (20, 0, {"missing_member": 1})
    shard.write_bytes(SHARDS["cut in block 12"])
    done = cli("validate-file", "webdataset", shard)
    assert done.returncode == 1 and "broken_header" in done.stdout and "3 rows" in done.stdout
    for format, path in (("hf", shard), ("webdataset", tmp_path / "none.tar")):
        with pytest.raises(UsageError, match="tar"):
            summarise_file(path, format)
    with pytest.raises(UsageError, match="not mended"):
        mend_file(shard, tmp_path / "mended.jsonl", "webdataset")


@pytest.mark.thorough
def test_web_dataset_still_answers_as_recorded(tmp_path: Path) -> None:
    python = CONSUMERS["webdataset"].python()
    if python is None:
        pytest.skip("WebDataset is not installed in its own environment: `make client-formats`")
    assert asked("webdataset", "shards", tmp_path, python=python) == recorded("webdataset")["shards"]
