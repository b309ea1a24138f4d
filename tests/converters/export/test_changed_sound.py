"""Rows whose sound is changed: noise, speed, gain, rate; media, times and account say so, and nothing else moves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import triptych
from support import imported
from support.imported import RATE, noise, sound
from support.stores import media_files, select
from triptych.converters.export.media.change import SPEED_STEPS, SoundChange, read_range
from triptych.converters.export.result import ExportResult
from triptych.errors import UsageError

VIEW = """-- name: heard
-- media: audio
SELECT id, audio_paths[1] AS audio, audio.duration AS seconds, audio.sample_rate AS rate, start_s, end_s, words, phones
FROM prepared
"""
WORDS = [{"text": "one", "start_s": 1.25, "end_s": 1.5}, {"text": "two", "start_s": 1.5, "end_s": 2.0}]


def tone(pitch: float, seconds: float = 1.0, *, rate: int = RATE) -> np.ndarray:
    made: np.ndarray = np.rint(8_000 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate))
    return made.astype(np.int16)


def strongest(samples: np.ndarray, rate: int = RATE) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    return float(spectrum.argmax()) * rate / len(samples)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech of six speakers, one of them in the test split; a span with words; stereo; noises; a video with sound."""
    folder = tmp_path_factory.mktemp("changed")
    rows: list[dict[str, Any]] = []
    for number in range(6):
        path = sound(folder / f"{number}.wav", noise(0.5, seed=number) // 4)
        split = "test" if number == 5 else "train"
        rows.append({"id": f"u{number}", "audio": str(path), "text": "hello", "speaker": f"s{number}", "split": split,
                     "task": "asr", "language": "en"})  # fmt: skip
    long = sound(folder / "long.wav", np.concatenate([tone(300, 1.0), tone(500, 1.0), tone(700, 1.0)]))
    rows.append({"id": "part", "audio": str(long), "start_s": 1.0, "end_s": 2.0, "text": "one two", "words": WORDS,
                 "phones": WORDS, "task": "asr", "language": "en"})  # fmt: skip
    store = imported.bring_in(folder / "store", "speech", rows, folder)
    soundfile.write(folder / "st.wav", np.stack([tone(400, rate=8_000), tone(900, rate=8_000)], 1), 8_000)
    mixed = imported.video(folder / "m.mp4", with_sound=True)
    more = [{"id": "stereo", "audio": str(folder / "st.wav"), "text": "x", "task": "aac"},
            {"id": "loud", "audio": str(sound(folder / "l.wav", tone(300) * 4)), "text": "x", "task": "aac"},
            {"id": "video", "video": str(mixed), "modality": "mixed", "text": "x", "task": "captioning"},
            {"id": "words", "text": "only", "modality": "text"}]  # fmt: skip
    imported.bring_in(store, "others", more, folder)
    clips = [
        {"id": "hum", "audio": str(sound(folder / "h.wav", tone(1_000, 0.3))), "split": "train", "text": "hum"},
        {"id": "beep", "audio": str(sound(folder / "b.wav", tone(3_000, 0.3))), "split": "test", "text": "beep"},
    ]
    imported.bring_in(store, "noises", clips, folder)
    imported.bring_in(store, "tests", clips[1:], folder)
    (folder / "view.sql").write_text(VIEW)
    return store


@pytest.fixture(scope="module")
def plain(place: Path) -> ExportResult:
    """The rows of `speech` as they are."""
    return triptych.export(place.parent / "view.sql", store=place, dataset="speech", name="heard")


@pytest.fixture
def export(place: Path) -> Callable[..., ExportResult]:
    def run(**options: Any) -> ExportResult:
        given = {"dataset": "speech", "name": "heard"} | options
        return triptych.export(place.parent / "view.sql", store=given.pop("store", place), **given)

    return run


def rows_of(result: ExportResult) -> dict[str, dict[str, Any]]:
    rows = pq.read_table(result.version.path / "data.parquet").to_pylist()
    return {row["id"].rpartition("/")[2]: row for row in rows}


def heard(row: dict[str, Any]) -> np.ndarray:
    samples, rate = soundfile.read(row["audio"], dtype="int16")
    assert rate == row["rate"] and samples.ndim == 1
    return np.asarray(samples)


def test_speed_moves_lengths_spans_and_words(export: Callable[..., ExportResult], place: Path) -> None:
    row = rows_of(export(speed="0.9..1.1"))["part"]
    samples = heard(row)
    speed = SoundChange(speed=(0.9, 1.1)).recipe(0, "speech/all/part").speed
    assert 0.9 <= speed <= 1.1 and speed != 1.0
    assert len(samples) == round(RATE / speed) and row["seconds"] == len(samples) / RATE
    assert strongest(samples) == pytest.approx(500 * speed, abs=2)
    assert (row["start_s"], row["end_s"]) == (None, None)
    times = [(word["start_s"], word["end_s"]) for word in row["words"]]
    assert np.allclose(times, [(0.25 / speed, 0.5 / speed), (0.5 / speed, 1.0 / speed)], atol=1e-5)
    assert row["phones"] == row["words"]


def test_every_row_has_factors_of_its_own_within_the_range_and_the_same_again() -> None:
    change = SoundChange("pink", (5.0, 20.0), (0.9, 1.1), (-6.0, 6.0))
    recipes = [change.recipe(0, f"d/train/u{number}") for number in range(500)]
    for values, (low, high) in (
        ([each.speed for each in recipes], (0.9, 1.1)),
        ([each.snr_db or 0.0 for each in recipes], (5.0, 20.0)),
        ([each.gain_db for each in recipes], (-6.0, 6.0)),
    ):
        assert min(values) >= low and max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, rel=0.2, abs=0.5)
        assert len(set(values)) > 90
    assert recipes[7] == change.recipe(0, "d/train/u7") != change.recipe(1, "d/train/u7")
    assert (recipes[7].speed, recipes[7].snr_db, recipes[7].gain_db) == (0.982, 11.6, 2.0)


def test_another_store_makes_the_same_bytes(export: Callable[..., ExportResult], place: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"noise": "babble", "speed": "0.95..1.05", "gain": "-3..3", "where": "id <> 'x'"}
    first = export(**options)
    again = export(**options)
    assert again.reused and again.version.reference == first.version.reference
    before = media_files(place)
    (first.version.path / "data.jsonl").unlink()
    rebuilt = triptych.exports.rebuild(first.version.reference, store=place)
    assert "data.jsonl" in rebuilt.restored and not rebuilt.differs
    shutil.copytree(place, tmp_path / "other", symlinks=True)
    shutil.rmtree(tmp_path / "other/media/cuts")
    shutil.rmtree(tmp_path / "other/exports")
    other = export(store=tmp_path / "other", **options)
    assert other.version.manifest["content_sha256"] == first.version.manifest["content_sha256"]
    export(name="under-another-name", **options)
    assert media_files(place) == before, "media is made once"


def test_what_would_last_longer_than_30_s_is_refused(tmp_path: Path) -> None:
    rows = []
    for seconds in (27.0, 27.5):
        path = sound(tmp_path / f"{seconds}.wav", noise(seconds, rate=4_000), rate=4_000)
        rows.append({"id": f"{seconds}", "audio": str(path), "text": "x"})
    store = imported.bring_in(tmp_path / "store", "d", rows, tmp_path)
    result = triptych.export("unified", store=store, speed="0.9", sample_rate=4_000)
    assert result.counts == {"written": 1, "longer_than_30_s": 1}
    [row] = imported.read_lines(result.version.data)
    assert soundfile.info(row["audio"]).duration == 30.0
    assert "30.56 s" in str(select(store, "select detail from events where reason = 'longer_than_30_s'"))


def test_noise_of_a_dataset_is_at_its_ratio_and_never_of_a_test_split(
    export: Callable[..., ExportResult], plain: ExportResult
) -> None:
    quiet = rows_of(plain)
    result = export(noise="noises", snr="10")
    for name, row in rows_of(result).items():
        if name == "part":
            continue
        clean, _ = soundfile.read(quiet[name]["audio"], dtype="int16")
        added = heard(row).astype(float) - clean
        assert strongest(added[:4_800]) == pytest.approx(1_000, abs=10), "the hum, not the beep of the test split"
        ratio = np.sqrt(np.mean(clean.astype(float) ** 2)) / np.sqrt(np.mean(added**2))
        assert 20 * np.log10(ratio) == pytest.approx(10, abs=0.05)
    manifest = result.version.manifest
    assert manifest["sound"]["noise"] == "noises" and manifest["sound"]["snr"] == [10.0, 10.0]
    assert manifest["changed_sound"] == {"rows": 7, "scaled_down": 0}
    with pytest.raises(UsageError, match="outside validation and test splits"):
        export(noise="tests")


def test_a_withdrawal_finds_the_versions_in_which_a_sample_is_noise(tmp_path: Path) -> None:
    rows = [{"id": "a", "audio": str(sound(tmp_path / "a.wav", noise(0.1))), "text": "x"}]
    store = imported.bring_in(tmp_path / "store", "speech", rows, tmp_path)
    hum = [{"id": "hum", "audio": str(sound(tmp_path / "h.wav", tone(900, 0.1))), "text": "hum"}]
    imported.bring_in(store, "noises", hum, tmp_path)
    made = triptych.export("unified", store=store, dataset="speech", noise="noises").version
    [row] = imported.read_lines(made.data)
    assert made.manifest["noise_samples"] == ["noises/all/hum"]
    assert made.reference in str(triptych.explain("noises/all/hum", store=store))
    removal = triptych.store.remove("noises", store=store, purge=True)
    assert removal.exports == {made.reference: 1}
    assert not made.data.exists() and not Path(row["audio"]).exists()
    assert "noises/all/hum" not in (made.path / "manifest.json").read_text()


def test_babble_needs_other_speakers(export: Callable[..., ExportResult]) -> None:
    with pytest.raises(UsageError, match="5 speakers"):
        export(noise="babble", dataset="others")


def test_noise_of_a_folder_and_a_new_version_when_it_changes(
    export: Callable[..., ExportResult], plain: ExportResult, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    sound(tmp_path / "in/a.wav", tone(2_000, 0.2))
    (tmp_path / "in/broken.wav").write_bytes(b"RIFF")
    first = export(noise=str(tmp_path), snr="0")
    clean, _ = soundfile.read(rows_of(plain)["u1"]["audio"], dtype="int16")
    assert strongest(heard(rows_of(first)["u1"]).astype(float)[:8_000] - clean) == pytest.approx(2_000, abs=20)
    assert export(noise=str(tmp_path), snr="0").reused
    test = tmp_path / "tests only"
    test.mkdir()
    shutil.copyfile(place.parent / "5.wav", test / "copy.wav")  # of the test split
    with pytest.raises(UsageError, match="every file in it is the sound of a validation or test split"):
        export(noise=str(test), snr="0")
    shutil.rmtree(test)
    sound(tmp_path / "in/a.wav", tone(2_500, 0.2))
    second = export(noise=str(tmp_path), snr="0")
    assert second.version.reference != first.version.reference
    with pytest.raises(UsageError, match="no such folder"):
        export(noise=str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"no such dataset.*Datasets: noises, others, speech, tests"):
        export(noise="pinc")


def test_sound_of_another_form_alone_is_made_anew(place: Path) -> None:
    result = triptych.export("unified", store=place, dataset="others", sample_rate=16_000, mono=True)
    rows = {row["id"].rpartition("/")[2]: row for row in imported.read_lines(result.version.data)}
    samples, rate = soundfile.read(rows["stereo"]["audio"])
    assert (rate, samples.shape) == (16_000, (16_000,))
    assert soundfile.info(rows["video"]["audio"]).samplerate == 16_000
    [path] = select(place, "select audio.path p from samples where id = 'others/all/loud'")
    assert rows["loud"]["audio"] == str(place / path["p"]), "it has that form already"
    stereo = triptych.export(
        "unified", store=place, where="id = 'others/all/stereo'", sample_rate=16_000, name="stereo"
    )
    [both] = [row["audio"] for row in imported.read_lines(stereo.version.data) if row["id"].endswith("stereo")]
    assert soundfile.info(both).channels == 2


def test_what_cannot_be_changed_whole_is_refused(place: Path) -> None:
    faster = triptych.export("unified", store=place, dataset="others", speed="1.1", name="faster")
    assert faster.counts == {"written": 3, "sound_unsupported": 1}
    inside = triptych.export("unified", store=place, dataset="others", gain="-6", av="in-video", name="inside")
    assert inside.counts == {"written": 3, "sound_unsupported": 1}
    softer = triptych.export("unified", store=place, dataset="others", gain="6", name="louder")
    assert softer.counts == {"written": 4}
    assert softer.version.manifest["changed_sound"] == {"rows": 3, "scaled_down": 1}


def test_copies_stand_beside_rows_that_stay_as_they_are(
    export: Callable[..., ExportResult], plain: ExportResult
) -> None:
    result = export(speed="0.9..1.1", noise="white", copies=2)
    found = rows_of(result)
    assert len(found) == 21 and result.counts == {"written": 7}
    assert {name: row for name, row in found.items() if "#" not in name} == {
        name: row | {"sample_id": row["id"]} for name, row in rows_of(plain).items()
    }
    first, second = found["part#copy1"], found["part#copy2"]
    assert first["audio"] != second["audio"] and first["words"] != second["words"]
    assert first["sample_id"] == "speech/all/part" and first["start_s"] is None
    assert result.version.manifest["changed_sound"]["rows"] == 14
    others = rows_of(export(gain="-3", copies=1, dataset="others"))
    assert sorted(others) == ["loud", "loud#copy1", "stereo", "stereo#copy1", "video", "video#copy1", "words"]
    again = rows_of(export(noise="white", copies=1, mix="speech=1", samples=28, oversample=True))
    assert len(again) == 28 and again["u1#2"]["audio"] == again["u1"]["audio"]
    assert len({again[name]["audio"] for name in ("u1", "u1#copy1", "u1#copy1#2")}) == 3


def test_without_these_options_nothing_changes(plain: ExportResult) -> None:
    row = rows_of(plain)["part"]
    assert (row["start_s"], row["end_s"], row["seconds"]) == (1.0, 2.0, 3.0) and row["words"] == WORDS
    manifest = plain.version.manifest
    assert "sound" not in manifest and "changed_sound" not in manifest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"snr": "5..20"}, "ratio to noise"),
        ({"speed": "1.1..0.9"}, "expected a range"),
        ({"speed": "0..1"}, "expected a range"),
        ({"gain": "loud"}, "expected a range"),
        ({"noise": "pink", "snr": "nan"}, "expected a range"),
        ({"sample_rate": 100}, "4000"),
        ({"copies": 2, "mono": True}, "changed sound"),
    ],
)
def test_ranges_are_checked_before_anything_is_made(place: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        triptych.export("unified", store=place, **options)
    assert read_range("0.95", SPEED_STEPS, option="--speed", low=0.5, high=2) == (0.95, 0.95)


def test_the_times_of_a_span_are_those_of_what_is_heard(tmp_path: Path) -> None:
    """Of a span of a sound and of a video, whose alignments are of the whole file."""
    phones = [{"text": name, "start_s": at / 10, "end_s": (at + 1) / 10} for at, name in enumerate("abcde")]
    span = {"start_s": 0.1, "end_s": 0.4, "words": phones, "phones": phones, "text": "b c d", "task": "asr"}
    film = imported.video(tmp_path / "m.mp4", with_sound=True)
    rows = [span | {"id": "film", "video": str(film), "modality": "mixed"},
            span | {"id": "sound", "audio": str(sound(tmp_path / "s.wav", noise(0.5)))}]  # fmt: skip
    store = imported.bring_in(tmp_path / "store", "x", rows, tmp_path)
    louder = rows_of(triptych.export("lhotse", gain="-3", store=store))
    for row in louder.values():
        assert [(word["text"], word["start_s"]) for word in row["words"]] == [("b", 0.0), ("c", 0.1), ("d", 0.2)]
    slower = rows_of(triptych.export("phoneme", phones="own", modality="audio", speed="0.8", store=store))
    for row in slower.values():
        assert row["conversations"][-1]["value"] == "b c d"
        assert row["seconds"] == pytest.approx(0.375, abs=0.08)
