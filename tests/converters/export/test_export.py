"""Exports: what stands in a version, which samples get in, and that the same request is the same version."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import triptych
from support import imported
from support.stores import select
from triptych.converters.export import identity
from triptych.converters.export.media import missing_media
from triptych.converters.export.result import ExportResult
from triptych.errors import ProblemsFound, UsageError
from triptych.shards.media import cut
from triptych.shards.media.media import MediaStore


def export(store: Path, view: str = "msswift", **options: Any) -> ExportResult:
    return triptych.export(view, store=store, **({"task": "sft"} if view == "msswift" else {}) | options)


def rows(result: ExportResult) -> list[dict[str, Any]]:
    return list(imported.read_lines(result.version.data))


def ids(result: ExportResult) -> list[str]:
    return [row["id"].rsplit("/", 1)[-1] for row in rows(result)]


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten utterances, two of them in the split test. Tests that change it take `own`."""
    folder = tmp_path_factory.mktemp("speech")
    return imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 10), folder)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The same, of this test alone."""
    return imported.bring_in(tmp_path / "store", "speech", imported.speech_rows(tmp_path / "in", 10), tmp_path)


# ---- files


def test_a_version_is_data_twice_a_manifest_and_a_notice(speech: Path) -> None:
    result = export(speech, split="train", note="for the first run")
    assert sorted(files(result.version.path)) == ["NOTICE", "data.jsonl", "data.parquet", "manifest.json"]
    manifest = json.loads((result.version.path / "manifest.json").read_text())
    assert (manifest["name"], manifest["view"], manifest["note"]) == ("msswift-sft", "msswift", "for the first run")
    assert manifest["options"]["task"] == "sft" and manifest["options"]["text"] == "clean"
    assert manifest["selection"]["splits"] == ["train"] and manifest["seed"] == 0 and manifest["order"] == "hash"
    assert manifest["rows"] == 8 and manifest["counts"] == {"filtered": 2, "written": 8}
    assert manifest["datasets"] == {"speech": {"unknown": 8}} and manifest["media_root"] == str(speech)
    assert set(manifest["tables"]) == {"samples", "checks", "verdicts", "annotations", "events"}
    assert manifest["software"]["triptych"] == triptych.__version__ and manifest["software"]["duckdb"]
    assert manifest["sql"][-1].startswith("SELECT")
    for name, entry in manifest["files"].items():
        content = (result.version.path / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert "speech: unknown (8 rows)" in (result.version.path / "NOTICE").read_text()
    again = [export(speech, split="train", note=note) for note in ("for the first run", "for another")]
    assert [any("without this note" in each for each in made.warnings) for made in again] == [False, True]


def test_the_notice_names_every_licence(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 3, license="CC-BY-4.0")
    given[0]["license"] = "CC0-1.0"
    result = export(imported.bring_in(tmp_path / "store", "speech", given, tmp_path))
    notice = (result.version.path / "NOTICE").read_text()
    assert "speech: CC-BY-4.0 (2 rows)\nspeech: CC0-1.0 (1 rows)\n" in notice


@pytest.mark.parametrize("view", ["msswift", "unified"])
def test_jsonl_and_parquet_hold_the_same_rows_in_the_same_order(tmp_path: Path, view: str) -> None:
    odd = ['Ünï "q" \\ 你好 \U0001f600', "tab\tand {braces} '--", "\x1b[31mred\x7f \u2028 end", "a\nb"]
    given = imported.speech_rows(tmp_path / "in", 4)
    for row, text in zip(given, odd, strict=True):
        row["text"] = text
    result = export(imported.bring_in(tmp_path / "store", "odd", given, tmp_path), view, text="raw")
    parquet = pq.read_table(result.version.path / "data.parquet").to_pylist()
    assert [{k: v for k, v in row.items() if v is not None} for row in parquet] == rows(result)
    texts = {row["text"] if view == "unified" else row["messages"][-1]["content"] for row in rows(result)}
    assert texts == set(odd)


def test_a_file_is_utf8_to_the_last_byte_and_has_no_empty_list(speech: Path) -> None:
    content = export(speech).version.data.read_bytes()
    assert content.endswith(b"}\n") and content.decode("utf-8").count("\n") == 10
    assert b"[]" not in content and b"images" not in content


def test_media_paths_are_absolute_and_there_and_the_bytes_are_the_corpus_s_own(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 2)
    result = export(imported.bring_in(tmp_path / "store", "speech", given, tmp_path))
    originals = {row["id"]: Path(row["audio"]).read_bytes() for row in given}
    for row in rows(result):
        (path,) = row["audios"]
        assert path.startswith(f"{tmp_path}/store/media/")
        assert Path(path).read_bytes() == originals[row["id"].rsplit("/", 1)[-1]]


# ---- the consumer's loader


@pytest.mark.thorough
def test_hugging_face_loads_mixed_modalities_after_more_than_ten_megabytes_of_audio(tmp_path: Path) -> None:
    import datasets

    clip, film = imported.sound(tmp_path / "a.flac", imported.noise(0.1)), imported.video(tmp_path / "v.mp4")
    given = [
        {"id": f"a{number:05d}", "audio": str(clip), "video": None, "text": "word " * 700} for number in range(3500)
    ] + [{"id": "z", "video": str(film), "text": "a film"}]  # fmt: skip
    result = export(imported.bring_in(tmp_path / "store", "mixed", given, tmp_path), order="id")
    lines = result.version.data.read_bytes().splitlines(keepends=True)
    assert ids(result)[:3] == ["a00000", "z", "a00001"]
    assert sum(map(len, lines)) > 11 * 1024 * 1024

    def load(kind: str, file: Path) -> Any:
        return datasets.load_dataset(kind, data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))

    for kind, name in (("json", "data.jsonl"), ("parquet", "data.parquet")):
        loaded = load(kind, result.version.path / name)
        assert loaded.num_rows == 3501 and loaded[1]["videos"] and not loaded[1]["audios"]
        assert loaded[0]["messages"][0]["content"] == "<audio>Transcribe the speech."
    without_witness = tmp_path / "without-witness.jsonl"
    without_witness.write_bytes(b"".join([*lines[:1], *lines[2:], lines[1]]))
    with pytest.raises(datasets.exceptions.DatasetGenerationError):
        load("json", without_witness)


# ---- spans and sound


def exported_sound(result: ExportResult) -> tuple[np.ndarray, int]:
    (path,) = rows(result)[0]["audios"]
    samples, rate = soundfile.read(path, dtype="int16")
    return samples, rate


def test_a_span_of_16_khz_mono_flac_is_cut_to_the_sample(tmp_path: Path) -> None:
    whole = imported.noise(3.0)
    sound = str(imported.sound(tmp_path / "a.flac", whole))
    spans: list[tuple[float | None, float | None]] = [
        (0.25, 0.75), (0.0, 0.1), (2.0, 2.5), (None, 0.3), (2.6, None), (1.2345, 1.3)
    ]  # fmt: skip
    given = [
        {"id": f"{number}", "audio": sound, "text": "x", "start_s": start, "end_s": end}
        for number, (start, end) in enumerate(spans)
    ]
    made = rows(export(imported.bring_in(tmp_path / "store", "cut", given, tmp_path), order="id"))
    for row, (start, end) in zip(made, spans, strict=True):
        samples, rate = soundfile.read(row["audios"][0], dtype="int16")
        assert rate == 16_000
        assert np.array_equal(samples, whole[round((start or 0) * 16_000) : round((end or 3.0) * 16_000)])


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_a_span_at_another_rate_is_resampled_to_16_khz(tmp_path: Path, rate: int) -> None:
    moment = np.arange(3 * rate) / rate
    tone = np.where((moment >= 1.0) & (moment < 2.0), 8000 * np.sin(2 * np.pi * 440 * moment), 0).astype(np.int16)
    stereo = np.stack([tone, tone], axis=1)
    given = [{"id": "1", "audio": str(imported.sound(tmp_path / "a.wav", stereo, rate=rate)), "text": "x",
              "start_s": 0.5, "end_s": 1.5}]  # fmt: skip
    samples, made = exported_sound(export(imported.bring_in(tmp_path / "store", "cut", given, tmp_path)))
    assert (made, samples.ndim) == (16_000, 1) and abs(len(samples) - 16_000) <= 16
    assert np.abs(samples[:7_900]).max() < 200 and np.abs(samples[8_100:-100]).max() > 7_000


def test_the_same_span_is_cut_once_and_never_exported_whole(tmp_path: Path) -> None:
    clip = str(imported.sound(tmp_path / "a.flac", imported.noise(1.0)))
    given = [{"id": str(n), "audio": clip, "text": f"x{n}", "start_s": 0.1, "end_s": 0.2} for n in range(3)]
    given.append({"id": "late", "audio": clip, "text": "x", "start_s": 0.7, "end_s": 1.2})
    result = export(imported.bring_in(tmp_path / "store", "cut", given, tmp_path))
    assert result.counts == {"written": 3, "span_outside_media": 1}
    (event,) = select(tmp_path / "store", "select candidate, detail from events where stage = 'export'")
    assert event["candidate"].endswith("/late") and "ends at 1.000 s, before the end of the span" in event["detail"]
    assert len({row["audios"][0] for row in rows(result)}) == 1


def test_threads_that_cut_the_same_span_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "media/aa/x.flac"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"x")
    links = [tmp_path / f"media/cuts/{number % 5}" for number in range(400)]
    media = MediaStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda link: cut._remember(media, link, target), links))
    assert {link.read_bytes() for link in links} == {b"x"}
    assert len(list((tmp_path / "media/cuts").iterdir())) == 5 and list(media.scratch.iterdir()) == []


def test_a_span_of_a_video_is_cut_with_its_sound(tmp_path: Path) -> None:
    film = str(imported.video(tmp_path / "v.mp4", with_sound=True))
    sound = str(imported.sound(tmp_path / "a.wav", imported.noise(0.5)))
    given = [
        {"id": "span", "video": film, "text": "x", "modality": "mixed", "start_s": 0.1, "end_s": 0.3},
        {"id": "silent", "video": str(imported.video(tmp_path / "s.mp4")), "text": "x", "start_s": 0.2},
        {"id": "long", "video": film, "text": "x", "end_s": 0.8},
        {"id": "apart", "video": film, "audio": sound, "text": "x", "end_s": 0.2},
    ]
    store = imported.bring_in(tmp_path / "store", "films", given, tmp_path)
    result = export(store)
    assert result.counts == {"written": 2, "span_unsupported": 1, "span_outside_media": 1}
    found = {row["id"].rpartition("/")[2]: row for row in rows(result)}
    assert found["silent"]["videos"] != found["span"]["videos"] and not found["silent"].get("audios")
    with av.open(found["span"]["videos"][0]) as container:
        assert len(list(container.decode(video=0))) == round(0.2 * container.streams.video[0].average_rate)
    samples, rate = soundfile.read(found["span"]["audios"][0])
    assert len(samples) / rate == pytest.approx(0.2, abs=0.07)
    again = export(store, where="true")
    assert again.reused and again.version.reference == result.version.reference


def test_the_sound_of_a_mixed_video_is_taken_out_of_it(tmp_path: Path) -> None:
    given = [{"id": "1", "video": str(imported.video(tmp_path / "v.mp4", with_sound=True)), "text": "x",
              "modality": "mixed"}]  # fmt: skip
    result = export(imported.bring_in(tmp_path / "store", "films", given, tmp_path))
    row = rows(result)[0]
    assert row["messages"][0]["content"] == "<video><audio>Describe what you see and hear."
    samples, rate = exported_sound(result)
    assert rate == 16_000 and 0.45 < len(samples) / rate < 0.6 and np.abs(samples).max() > 1000


# ---- who gets in


def events(store: Path) -> list[tuple[str, str]]:
    found = triptych.query("select candidate, reason from events where stage = 'export' order by all", store=store)
    return [(row["candidate"], row["reason"]) for row in found.to_pylist()]


def test_missing_media_is_left_out_with_a_reason_and_an_event(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = triptych.query("select audio.path p from samples where id = 'speech/train/utt001'", store=own)
    (own / gone.to_pylist()[0]["p"]).unlink()
    made = set()
    for held, few in ((10, 64), (10, 64), (10, 0), (9, 64)):  # a table, or a view; by file, or by folder
        monkeypatch.setattr(identity, "_FEW_ROWS", held)
        monkeypatch.setattr(missing_media, "FEW", few)
        result = export(own, name=f"again-{held}-{few}", order="id")
        assert result.counts == {"written": 9, "missing_media": 1}
        assert events(own) == [("speech/train/utt001", "missing_media")]
        made.add((result.version.manifest["content_sha256"], "TABLE candidates" in str(result.version.manifest["sql"])))
    assert len(made) == 2 and len({content for content, _ in made}) == 1
    # Where media is made, which of it is missing is known before.
    changed = export(own, name="changed", sample_rate=8000)
    assert changed.counts == {"written": 9, "missing_media": 1} and {
        soundfile.info(row["audios"][0]).samplerate for row in rows(changed)
    } == {8000}


def test_a_rejected_sample_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 4)
    cut_off = Path(given[2]["audio"])
    cut_off.write_bytes(cut_off.read_bytes()[:-1000])
    store = imported.bring_in(tmp_path / "store", "speech", given, tmp_path)
    (judged,) = triptych.validate(store=store)
    assert judged.rejected == 1
    result = export(store, order="id")
    assert ids(result) == ["utt000", "utt001", "utt003"] and result.counts == {"written": 3, "rejected": 1}
    assert events(store) == [("speech/train/utt002", "rejected")]
    everything = export(store, include_rejected=True)
    assert len(ids(everything)) == 4 and everything.version.manifest["rejected_rows"] == 1
    assert any("rejected by the rules" in warning for warning in everything.warnings)


def test_held_out_and_unvalidated_rows_are_counted_and_warned_of(speech: Path) -> None:
    result = export(speech, name="held")
    assert (result.version.manifest["held_out_rows"], result.version.manifest["unvalidated_rows"]) == (2, 10)
    assert any("2 of 10 rows come from validation or test" in warning for warning in result.warnings)
    assert any("never validated" in warning for warning in result.warnings)
    chosen = export(speech, name="held", split="train")
    assert chosen.version.manifest["held_out_rows"] == 0
    assert not any("validation or test" in warning for warning in chosen.warnings)


@pytest.mark.parametrize("split", ["test", "te*", "t[e]st"])
def test_a_split_is_a_name_a_role_or_a_glob(speech: Path, split: str) -> None:
    assert sorted(ids(export(speech, split=split))) == ["utt004", "utt009"]


def test_an_assigned_split_goes_first(own: Path) -> None:
    triptych.annotate("speech/test/utt004", "assigned_split", "train", store=own)
    triptych.annotate("speech/train/utt000", "assigned_split", "dev", store=own)
    assert ids(export(own, split="test")) == ["utt009"]
    assert ids(export(own, split="validation")) == ["utt000"]
    assert "utt004" in ids(export(own, split="train"))


def test_where_is_an_expression_over_samples(speech: Path) -> None:
    assert ids(export(speech, where="text LIKE '%7' OR audio.duration > 1 -- a remark")) == ["utt007"]


@pytest.mark.parametrize(
    "where",
    ["nosuch = 1", "text", "(select true)", "true; drop table x", "true) or (true", "count(*) > 1", "random() < 0.5",
     "now() > '2020-01-01'", "exists (from read_csv('/etc/passwd'))", "read_csv('/etc/passwd')", "", "$1", "*"],
)  # fmt: skip
def test_any_other_where_is_refused(speech: Path, where: str) -> None:
    with pytest.raises(UsageError):
        export(speech, where=where)


def test_a_template_that_shows_the_answer_is_refused_with_the_count(own: Path) -> None:
    with pytest.raises(ProblemsFound, match="into the user turn of 10 rows"):
        export(own, user_template="Say {text}")
    assert not list((own / "exports").rglob("v*"))
    result = export(own, user_template="Say {text}", allow_answer_in_prompt=True)
    assert rows(result)[0]["messages"][0]["content"].startswith("<audio>Say text number")


def test_choices_and_question_may_show_the_right_option(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 1, question="Cat or dog?", choices=["cat", "dog"], answer="cat")
    store = imported.bring_in(tmp_path / "store", "qa", given, tmp_path)
    result = export(store, task="grpo", user_template="{question} {choices}")
    assert rows(result)[0]["messages"][0]["content"] == "<audio>Cat or dog? cat, dog"
    assert rows(result)[0]["solution"] == "cat"


def test_a_conversation_that_its_consumer_would_refuse_is_left_out(tmp_path: Path) -> None:
    given = imported.speech_rows(tmp_path / "in", 3)
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    given[1]["messages"] = turns
    given[2]["messages"] = [*turns, {"role": "system", "content": "late"}, *turns]
    store = imported.bring_in(tmp_path / "store", "talk", given, tmp_path)
    result = export(store, order="id")
    assert ids(result) == ["utt000", "utt001"]
    assert result.counts == {"written": 2, "refused_system_not_first": 1}


@pytest.mark.parametrize(
    "options",
    [{"dataset": "nosuch"}, {"split": "nosuch"}, {"order": "random"}, {"text": "upper"}, {"media_root": "relative"},
     {"name": "Not A Name"}, {"name": ".."}, {"task": "orpo"}, {"user_template": "{nosuch}"}, {"system": "<audio>"},
     {"user_template": "<audio>{prompt}"}],
)  # fmt: skip
def test_a_wrong_option_is_refused(speech: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        export(speech, **options)


def test_nothing_to_export_is_a_problem_that_says_why(speech: Path, tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound, match="10 filtered"):
        export(speech, where="false")
    triptych.import_data("jsonl", imported.table(tmp_path / "none.jsonl", []), name="none", store=tmp_path / "empty")
    with pytest.raises(ProblemsFound, match="no samples"):
        export(tmp_path / "empty")


def test_sql_in_the_store_agrees_with_the_account(speech: Path) -> None:
    result = export(speech, name="account", split="train")
    run = triptych.query(f"select * from runs where run_id = '{result.version.manifest['run_id']}'", store=speech)
    (row,) = run.to_pylist()
    assert (row["candidates"], row["kept"], dict(row["dropped"])) == (10, 8, {"filtered": 2})
    with duckdb.connect(":memory:") as connection:
        count = connection.execute(f"SELECT count(*) FROM '{result.version.path}/data.parquet'").fetchone()
    assert count == (8,)


def test_the_same_request_is_answered_at_once(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = export(speech, name="quick")
    monkeypatch.delattr("triptych.converters.export.export.make_version")
    again = export(speech, name="quick")
    assert again.reused and again.version.reference == first.version.reference == "quick@v1"


def test_an_upper_case_corpus_of_ones_own_is_said_by_set_or_lowered_by_text(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,text\na,HELLO WORLD\nb,ÉTÉ\n", encoding="utf-8")
    place = tmp_path / "store"
    triptych.import_data("csv", table, name="shout", values={"modality": "text", "case": "upper"}, store=place)
    triptych.import_data("csv", table, name="plain", values={"modality": "text"}, store=place)

    def texts(text: str) -> dict[str, list[str]]:
        data = triptych.export("unified", text=text, order="id", store=place).version.data
        rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
        return {name: [row["text"] for row in rows if row["id"].startswith(f"{name}/")] for name in ("shout", "plain")}

    upper, lower = ["HELLO WORLD", "ÉTÉ"], ["hello world", "été"]
    assert texts("raw") == {"shout": upper, "plain": upper}
    assert texts("clean") == {"shout": lower, "plain": upper}
    assert texts("lower") == {"shout": lower, "plain": lower}
    with pytest.raises(triptych.UsageError, match="upper or mixed"):
        triptych.import_data("csv", table, name="x", values={"case": "loud"}, store=place)
