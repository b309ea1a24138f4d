"""Rules decide over measurements: every rule fires where it should, and only there; thresholds are the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from triptych.errors import UsageError
from triptych.shards.sample import SCHEMA
from triptych.validators.checks import measure
from triptych.validators.checks.schema import CHECKS_SCHEMA
from triptych.validators.rules import RULES_FILE, VERDICTS_SCHEMA, RuleSet, decide, joined_sql, load_rules

GOOD: dict[str, Any] = {
    "audio_from": "audio", "audio_codec": "flac", "audio_sample_rate": 16000, "audio_channels": 1,
    "audio_declared_duration": 5.0, "audio_decoded_frames": 80000, "audio_decoded_duration": 5.0, "clip_s": 5.0,
    "peak_dbfs": -3.0, "rms_dbfs": -20.0, "dc_offset": 0.0, "clipped_share": 0.0, "non_finite": 0,
    "silence_ratio": 0.1, "leading_silence_s": 0.2, "trailing_silence_s": 0.2,
    "empty_text": False, "characters": 60, "words": 12, "characters_per_second": 12.0, "control_characters": 0,
    "replacement_characters": 0,
}  # fmt: skip
FILM: dict[str, Any] = {
    "video_codec": "h264", "video_declared_duration": 5.0, "video_decoded_frames": 125, "video_corrupt_frames": 0,
    "video_decoded_duration": 5.0, "video_fps": 25.0, "video_width": 64, "video_height": 48, "video_has_audio": True,
}  # fmt: skip
SPEECH: dict[str, Any] = {"modality": "audio", "task": "asr", "text": "some words", "language": "en"}


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def verdicts(rows: list[tuple[dict[str, Any], dict[str, Any]]], rules: RuleSet | None = None) -> list[dict[str, Any]]:
    """Verdicts of samples given as their columns and measurements, in order."""
    samples, checks = [], []
    for place, (sample, check) in enumerate(rows):
        key = {"id": f"d/all/{place}", "dataset": "d"}
        path = {"path": f"{place}.flac", "sha256": str(place)}
        media = {} if "audio" in sample or sample.get("modality") != "audio" else {"audio": path}
        samples.append({**media, **key, **sample})
        checks.append({**check, **key})
    with duckdb.connect() as connection:
        connection.register("samples", table(samples, SCHEMA))
        connection.register("checks", table(checks, CHECKS_SCHEMA))
        decided = decide(connection, rules or load_rules(), relation=joined_sql())
    assert decided.schema == VERDICTS_SCHEMA
    return sorted(decided.to_pylist(), key=lambda row: int(row["id"].rpartition("/")[2]))


def reasons(sample: dict[str, Any], check: dict[str, Any]) -> list[str]:
    found: list[str] = verdicts([({**SPEECH, **sample}, {**GOOD, **check})])[0]["reasons"]
    return found


def test_a_good_sample_is_kept() -> None:
    (verdict,) = verdicts([(SPEECH, GOOD)])
    assert (verdict["verdict"], verdict["reasons"]) == ("keep", [])
    assert verdict["rule_set"] == load_rules().hash


def test_a_duration_that_is_stated_as_that_of_the_span_or_the_file_is_kept() -> None:
    check = {**GOOD, "audio_decoded_duration": 9.0, "audio_declared_duration": 9.0}
    stated = ("5.2", "5000", "9.0", "five", "")
    found = verdicts([({**SPEECH, "extra": {"duration": each}}, check) for each in stated])
    assert [(each, verdict["reasons"]) for each, verdict in zip(stated, found, strict=True)] == [
        (each, []) for each in stated
    ]


def timed(start_s: float, end_s: float) -> dict[str, Any]:
    return {"text": "x", "start_s": start_s, "end_s": end_s}


VIDEO = {"path": "v.mp4", "has_audio": True}
MUTE = {"path": "v.mp4", "has_audio": False}
NO_SOUND = dict.fromkeys(GOOD) | {"audio_codec": None}
FIRES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("missing_media", "reject", {}, {"missing_media": ["a.flac"]}),
    ("task_without_media", "reject", {"modality": "text", "task": "asr"}, NO_SOUND),
    ("missing_audio", "reject", {"audio": None}, {}),
    ("missing_video", "reject", {"modality": "video", "task": "tagging", "labels": ["x"]}, {}),
    ("missing_sound", "reject", {"modality": "mixed", "video": MUTE}, {**FILM, "video_has_audio": False}),
    ("undecodable_audio", "reject", {}, {"audio_error": "a.flac: lost sync"}),
    ("undecodable_audio", "reject", {"modality": "mixed", "video": VIDEO}, {**FILM, "audio_error": "x"}),
    ("undecodable_video", "reject", {"modality": "video", "video": VIDEO}, {**FILM, "video_error": "x"}),
    ("undecodable_image", "reject", {}, {"image_error": "x"}),
    ("undecodable_more_media", "reject", {}, {"more_media_error": "x"}),
    ("undecodable_sound_track", "warn", {"modality": "video", "video": VIDEO}, {**FILM, "video_audio_error": "x"}),
    ("no_samples", "reject", {}, {"audio_decoded_frames": 0, "clip_s": 0.0}),
    ("no_frames", "reject", {"modality": "video", "video": VIDEO}, {**FILM, "video_decoded_frames": 0}),
    ("corrupt_video_frames", "warn", {"modality": "video", "video": VIDEO}, {**FILM, "video_corrupt_frames": 1}),
    ("missing_text", "reject", {"text": None}, {"empty_text": None, "characters_per_second": None}),
    ("empty_text", "reject", {"text": " "}, {"empty_text": True, "characters_per_second": 0.0}),
    ("no_words", "reject", {"text": " - "}, {}),
    ("missing_translation", "reject", {"task": "s2tt"}, {}),
    ("translation_as_text", "warn", {"target_language": "de"}, {}),
    ("missing_labels", "reject", {"task": "ser"}, {}),
    ("class_numbers", "warn", {"task": "ser", "labels": ["3", "-1", "2.0"]}, {}),
    ("missing_question", "reject", {"task": "qa"}, {}),
    ("answer_names_no_choice", "reject", {"choices": ["dog", "cat"], "answer": "B"}, {}),
    ("answer_names_no_choice", "reject", {"choices": ["yes|no"], "answer": "(a)"}, {}),
    ("answer_names_no_choice", "reject", {"choices": ["A. dog", "B. cat"], "answer": "C"}, {}),
    ("answer_names_no_choice", "reject", {"choices": ["two", "three"], "answer": "1"}, {}),
    ("answer_not_offered", "warn", {"choices": ["dog", "cat"], "answer": "a cat"}, {}),
    ("replacement_characters", "warn", {}, {"replacement_characters": 1}),
    ("control_characters", "warn", {}, {"control_characters": 1}),
    ("duration_mismatch", "reject", {}, {"audio_declared_duration": 5.06}),
    ("duration_mismatch", "reject", {}, {"audio_codec": "aac", "audio_declared_duration": 5.3}),
    ("duration_mismatch", "reject", {"audio": {"path": "a", "duration": 10.0}}, {}),
    ("duration_unreliable", "warn", {}, {"audio_codec": "mp3", "audio_declared_duration": 6.0}),
    (
        "video_duration_mismatch",
        "reject",
        {"modality": "video", "video": VIDEO},
        {**FILM, "video_declared_duration": 9.0},
    ),
    (
        "video_duration_mismatch",
        "reject",
        {"modality": "video", "video": VIDEO},
        {**FILM, "video_declared_duration": None, "container_declared_duration": 9.0, "audio_from": "video"},
    ),
    (
        "video_duration_unreliable",
        "warn",
        {"modality": "video", "video": VIDEO},
        {**FILM, "video_declared_duration": 2.0},
    ),
    (
        "video_frames_mismatch",
        "warn",
        {"modality": "video", "video": {**VIDEO, "frames": 126}},
        FILM,
    ),
    ("longer_than_header", "reject", {}, {"audio_undeclared_s": 3.0}),
    ("read_in_part", "warn", {}, {"audio_soundfile_s": 3.0}),
    ("cut_short", "warn", {}, {"audio_cut_short": True}),
    ("stated_duration_mismatch", "warn", {"extra": {"duration": "7.5"}}, {}),
    ("span_outside_media", "reject", {"start_s": 4.0, "end_s": 5.2}, {"clip_s": 1.2}),
    ("span_outside_media", "reject", {"start_s": 6.0, "end_s": None}, {"clip_s": 5.0}),
    ("span_outside_media", "reject", {"start_s": 3.0, "end_s": 2.0}, {"clip_s": -1.0}),
    ("span_outside_media", "reject", {"start_s": -0.5, "end_s": 2.0}, {"clip_s": 2.5}),
    ("too_short", "reject", {}, {"clip_s": 0.09}),
    ("longer_than_30s", "warn", {}, {"clip_s": 30.1}),
    ("sample_rate_out_of_range", "reject", {}, {"audio_sample_rate": 1_092_676}),
    ("low_sample_rate", "warn", {}, {"audio_sample_rate": 6000}),
    ("too_many_channels", "warn", {}, {"audio_channels": 9}),
    ("non_finite_samples", "reject", {}, {"non_finite": 1}),
    ("not_normalized", "reject", {}, {"peak_dbfs": 90.3}),
    ("cancels_in_mono", "reject", {}, {"audio_channels": 2, "mono_gain_db": -31.0}),
    ("silent", "reject", {}, {"peak_dbfs": -60.1}),
    ("mostly_silent", "warn", {}, {"silence_ratio": 0.95}),
    ("clipping", "warn", {}, {"clipped_share": 0.0011}),
    ("dc_offset", "warn", {}, {"dc_offset": -0.03}),
    ("long_leading_silence", "warn", {}, {"leading_silence_s": 2.1}),
    ("long_trailing_silence", "warn", {}, {"trailing_silence_s": 2.1}),
    ("text_too_fast", "reject", {}, {"characters_per_second": 51.0}),
    ("text_too_fast", "reject", {"language": "zh-CN"}, {"characters_per_second": 16.0}),
    (
        "text_too_fast",
        "reject",
        {"language": None, "text": "今天天气很好 OK"},
        {"characters": 8, "characters_per_second": 16.0},
    ),
    ("text_too_slow", "warn", {}, {"characters_per_second": 1.0}),
    ("alignment_outside_span", "warn", {"start_s": 2.0, "end_s": 3.0, "words": [timed(0.1, 0.4)]}, {"clip_s": 1.0}),
    ("alignment_outside_span", "warn", {"phones": [timed(5.0, 5.4), timed(0.0, 1.0)]}, {}),
    ("panel_mismatch", "reject", {"panel": "S3"}, {}),
]


@pytest.fixture(scope="module")
def fired() -> list[dict[str, Any]]:
    """The verdicts of `FIRES`, decided together: none of the samples is like another."""
    return verdicts([({**SPEECH, **sample}, {**GOOD, **check}) for _, _, sample, check in FIRES])


@pytest.mark.parametrize("place", range(len(FIRES)), ids=[code for code, *_ in FIRES])
def test_a_rule_fires_alone_and_with_its_level(fired: list[dict[str, Any]], place: int) -> None:
    code, level, *_ = FIRES[place]
    assert (fired[place]["verdict"], fired[place]["reasons"]) == (level, [code])


def test_a_wrong_header_of_a_whole_mp3_is_warned_of_and_a_part_of_one_rejected() -> None:
    wrong = {**GOOD, "audio_codec": "mp3", "audio_declared_duration": 7.5}
    found = verdicts([(SPEECH, wrong), (SPEECH, {**wrong, "audio_cut_short": True})])
    assert [verdict["reasons"] for verdict in found] == [["duration_unreliable"], ["duration_mismatch", "cut_short"]]


def test_every_rule_is_tested() -> None:
    on_repeats = {"duplicate_content", "train_test_overlap"}
    assert {code for code, *_ in FIRES} | on_repeats == {rule.code for rule in load_rules().rules}


QUIET: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"audio_declared_duration": 5.04}),
    ({}, {"audio_codec": "aac", "audio_declared_duration": 5.2}),
    ({}, {"audio_codec": "opus", "audio_declared_duration": 4.9}),
    ({}, {"clip_s": 30.0}),
    ({}, {"audio_sample_rate": 8000}),
    ({"start_s": 4.0, "end_s": 5.04}, {"clip_s": 1.04}),
    ({"start_s": 0.0, "end_s": 5.0}, {}),
    ({"language": "zh"}, {"characters_per_second": 14.0}),
    ({"text": "7?"}, {}),
    ({"text": "สวัสดี"}, {}),
    ({"language": "en-GB", "target_language": "en"}, {}),
    ({"target_language": "de", "translation": "einige Worte"}, {}),
    ({"language": None, "text": "今天天气很好"}, {"characters": 6, "characters_per_second": 0.6}),
    ({"start_s": 2.0, "end_s": 3.0, "words": [timed(1.9, 2.4), timed(2.4, 3.2)], "phones": []}, {"clip_s": 1.0}),
    ({"task": "captioning", "text": None, "captions": ["a dog"]}, {"empty_text": None, "characters_per_second": None}),
    ({"task": "captioning"}, {"characters_per_second": 500.0}),
    ({"task": "s2tt", "translation": "x", "text": None}, {"empty_text": None, "characters_per_second": None}),
    ({"task": "tagging", "labels": ["dog"], "text": None}, {"empty_text": None}),
    ({"task": "tagging", "labels": ["3", "three", "4x4"]}, {}),
    ({"labels": ["3"]}, {}),
    ({"task": "qa", "question": "q", "text": ""}, {"empty_text": True}),
    ({"choices": ["dog", "cat"], "answer": " Cat"}, {}),
    ({"choices": ["A. dog", "(B) cat\nor kitten"], "answer": "b"}, {}),
    ({"choices": ["1", "2"], "answer": "2"}, {}),
    ({"choices": [], "answer": "B"}, {}),
    ({"choices": ["dog"], "answer": None}, {}),
    ({"modality": "mixed", "video": VIDEO}, {**FILM, "audio_from": "video"}),
    ({"modality": "mixed", "video": MUTE, "audio": {"path": "a"}}, {**FILM, "video_has_audio": False}),
    ({"modality": "video", "video": MUTE, "task": "captioning"}, {**NO_SOUND, **FILM}),
    ({"modality": "video", "video": VIDEO, "task": "captioning"}, {**FILM, "peak_dbfs": -200.0, "clip_s": 60.0}),
]


@pytest.fixture(scope="module")
def quiet() -> list[dict[str, Any]]:
    """The verdicts of `QUIET`, decided together: none of the samples is like another."""
    return verdicts([({**SPEECH, **sample}, {**GOOD, **check}) for sample, check in QUIET])


@pytest.mark.parametrize("place", range(len(QUIET)))
def test_what_is_within_the_thresholds_is_kept(quiet: list[dict[str, Any]], place: int) -> None:
    assert quiet[place]["reasons"] == [], QUIET[place]


def test_reasons_come_in_the_order_of_the_file_and_reject_wins() -> None:
    (verdict,) = verdicts([(SPEECH, {**GOOD, "clip_s": 0.05, "clipped_share": 0.5, "audio_error": "x"})])
    assert verdict["verdict"] == "reject"
    assert verdict["reasons"] == ["undecodable_audio", "too_short", "clipping"]


def test_equal_content_under_another_id_is_warned_of_and_never_rejected() -> None:
    audio = {"path": "a.flac", "sha256": "aa"}
    rows = [
        ({**SPEECH, "audio": audio, "start_s": 0.0, "end_s": 2.0}, GOOD),
        ({**SPEECH, "audio": audio, "start_s": 0.0, "end_s": 2.0, "text": "other"}, GOOD),
        ({**SPEECH, "audio": audio, "start_s": 2.0, "end_s": 4.0}, GOOD),
        ({**SPEECH, "audio": audio, "start_s": 0.0, "end_s": 2.0, "task": "qa", "question": "q?"}, GOOD),
        ({**SPEECH, "audio": {"path": "b.flac", "sha256": None}}, GOOD),
        ({**SPEECH, "audio": {"path": "c.flac", "sha256": None}}, GOOD),
    ]
    found = verdicts(rows)
    assert [row["reasons"] for row in found] == [["duplicate_content"], ["duplicate_content"], [], [], [], []]
    assert [row["verdict"] for row in found[:2]] == ["warn", "warn"]


def test_rules_bind_over_columns_that_hold_nothing_but_nulls(tmp_path: Path) -> None:
    sample = {"id": "d/all/0", "dataset": "d", "modality": "audio", "task": "asr", "text": "some words",
              "audio": {"path": "a.flac"}}  # fmt: skip
    with duckdb.connect() as connection:
        for name, row, schema in (("samples", sample, SCHEMA), ("checks", {**GOOD, **sample}, CHECKS_SCHEMA)):
            pq.write_table(table([row], schema), tmp_path / f"{name}.parquet")
            connection.execute(f"CREATE VIEW {name} AS FROM '{tmp_path}/{name}.parquet'")
        (verdict,) = decide(connection, load_rules(), relation=joined_sql()).to_pylist()
    assert verdict["reasons"] == []


def test_unmeasured_samples_get_no_verdict() -> None:
    sample = {"id": "d/all/0", "dataset": "d", "modality": "audio"}
    with duckdb.connect() as connection:
        connection.register("samples", table([sample], SCHEMA))
        connection.register("checks", table([], CHECKS_SCHEMA))
        assert len(decide(connection, load_rules(), relation=joined_sql())) == 0


def test_measured_files_are_decided(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(32000) * 0.05)
    noise = np.random.default_rng(0).normal(0, 0.1, 32000)
    signals = {"good": tone, "silent": np.zeros(32000), "offset": tone * 0.5 + 0.2, "clipped": np.clip(tone * 9, -1, 1)}
    for name, samples in signals.items():
        soundfile.write(tmp_path / f"{name}.flac", samples, 16000)
    soundfile.write(tmp_path / "short.flac", noise, 16000)
    cut = (tmp_path / "short.flac").read_bytes()
    (tmp_path / "short.flac").write_bytes(cut[: len(cut) // 2])
    soundfile.write(tmp_path / "lying.wav", tone, 16000)
    (tmp_path / "lying.wav").write_bytes((tmp_path / "lying.wav").read_bytes()[:20000])
    expected = {
        "good.flac": [], "silent.flac": ["silent"], "offset.flac": ["dc_offset"], "clipped.flac": ["clipping"],
        "short.flac": ["undecodable_audio"], "lying.wav": ["duration_mismatch"], "gone.wav": ["missing_media"],
    }  # fmt: skip
    rows = [({**SPEECH, "text": "some words that fit", "audio": {"path": name}}) for name in expected]
    found = verdicts([(row, measure({**row, "id": "x", "dataset": "d"}, root=tmp_path)) for row in rows])
    assert [row["reasons"] for row in found] == list(expected.values())


# --- the rules file --------------------------------------------------------------------------------------------------


def user_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return path


def test_a_user_file_sets_levels_and_thresholds(tmp_path: Path) -> None:
    path = user_file(
        tmp_path, "too_short: {thresholds: {min_s: 6}}\nclipping:\n  level: reject\nsilent: {level: off}\n"
    )
    rules = load_rules(path)
    assert rules.hash != load_rules().hash
    check = {**GOOD, "clipped_share": 0.5, "peak_dbfs": -80.0}
    (verdict,) = verdicts([(SPEECH, check)], rules)
    assert (verdict["verdict"], verdict["reasons"]) == ("reject", ["too_short", "clipping"])
    assert verdict["rule_set"] == rules.hash


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# mine\nto_short: {level: warn}\n", 2, "unknown rule 'to_short'"),
        ("too_short:\n  level: warn\n  wen: x\n", 3, "unknown key 'wen'"),
        ("too_short:\n  when: 'true'\n", 2, "unknown key 'when'"),
        ("too_short:\n  level: fatal\n", 2, "unknown level 'fatal'"),
        ("too_short:\n  thresholds:\n    min_s: 1\n    max_s: 2\n", 4, "unknown threshold 'max_s'"),
        ("too_short:\n  thresholds:\n    min_s: a lot\n", 3, "min_s is 'a lot'"),
        ("too_short:\n  thresholds: 3\n", 2, "thresholds is not a mapping"),
        ("too_short: {level: warn}\ntoo_short: {level: off}\n", 2, "duplicate key"),
        ("- too_short\n", 1, "expected a mapping"),
        ("too_short: {level: warn\n", 2, "invalid YAML"),
    ],
)
def test_mistakes_in_a_user_file_name_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = user_file(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_rules(path)
    assert f"{path}:{line}: " in caught.value.message
    assert message in caught.value.message


def test_a_missing_user_file_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file of rules"):
        load_rules(tmp_path / "gone.yaml")


def test_an_override_that_changes_nothing_keeps_the_hash(tmp_path: Path) -> None:
    path = user_file(
        tmp_path, "too_short: {level: reject, thresholds: {min_s: 0.1}}\nsilent: {thresholds: {min_peak_dbfs: -60}}\n"
    )
    assert load_rules(path).hash == load_rules().hash
    assert load_rules(user_file(tmp_path, "")).hash == load_rules().hash


def test_texts_in_thresholds_cannot_leave_their_quotes(tmp_path: Path) -> None:
    path = user_file(tmp_path, "text_too_fast: {thresholds: {syllabic_languages: [\"x') OR true OR ('\"]}}\n")
    assert verdicts([(SPEECH, GOOD)], load_rules(path))[0]["reasons"] == []


def test_every_rule_explains_itself_and_uses_all_its_thresholds() -> None:
    for rule in load_rules().rules:
        assert rule.why.endswith("."), rule.code
        assert rule.level in ("warn", "reject")
        assert all(f"${name}" in rule.when for name in rule.thresholds), rule.code
    assert RULES_FILE.is_file()


def test_deciding_is_one_query_over_many_rows() -> None:
    rows = table([{**SPEECH, "id": "x", "dataset": "d", "audio": {"path": "a", "sha256": "s"}}], SCHEMA)
    with duckdb.connect() as connection:
        connection.register("one", rows)
        connection.register("c", table([GOOD], CHECKS_SCHEMA))
        connection.execute(
            "CREATE TABLE many AS SELECT one.* REPLACE (i::VARCHAR AS id), c.* EXCLUDE (id, dataset, revision),"
            " 100000 AS copies, NULL::DOUBLE AS held_out_share FROM one, c, range(100000) AS t(i)"
        )
        decided = decide(connection, load_rules(), relation="many")
    assert len(decided) == 100_000
    assert set(decided["verdict"].to_pylist()) == {"warn"}
