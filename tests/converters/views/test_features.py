"""Acoustic features: the numbers of the models' own extractors, in shards that rows and an index name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import triptych
from support.command_line import run
from support.imported import bring_in, noise, read_lines, sound
from triptych.api import export_with
from triptych.converters.export.options import ExportOptions
from triptych.converters.features.encoder import digest
from triptych.converters.features.extract import _Shards
from triptych.converters.features.extractors import EXTRACTORS
from triptych.converters.features.log_mel import log_mel
from triptych.errors import UsageError
from triptych.shards import pace
from triptych.shards.media.streams import MediaError
from triptych.validators.formats import FORMATS, validate_file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of several rates, a span, one that is too short, and one whose sound ends in the middle of a frame."""
    folder = tmp_path_factory.mktemp("features")
    cut = sound(folder / "cut.flac", noise(1.0, seed=9))
    rows: list[dict[str, Any]] = [
        {"id": "whole", "audio": str(sound(folder / "a.flac", noise(0.5, seed=1))), "text": "HELLO", "language": "en"},
        {"id": "low", "audio": str(sound(folder / "b.wav", noise(0.4, seed=2, rate=8000), rate=8000)), "text": "low"},
        {"id": "span", "audio": str(sound(folder / "c.flac", noise(2.0, seed=3))), "text": "a part", "start_s": 0.5,
         "end_s": 1.25},
        {"id": "short", "audio": str(sound(folder / "d.flac", noise(0.01, seed=4))), "text": "short"},
        {"id": "cut", "audio": str(cut), "text": "cut"},
        {"id": "again", "audio": str(folder / "a.flac"), "text": "the same sound"},
    ]  # fmt: skip
    made = bring_in(folder / "store", "talks", rows, folder)
    [broken] = triptych.query("SELECT audio.path AS p FROM samples WHERE id LIKE '%/cut'", store=made).to_pylist()
    path = made / broken["p"]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:60])
    return made


def arrays(version: Any) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Each row with its features, read as a trainer would."""
    for row in read_lines(version.data):
        shard = np.load(version.path / row["shard"], mmap_mode="r")
        yield row, shard[row["start"] : row["start"] + row["frames"]]


def test_rows_name_the_features_of_their_own_clip(store: Path) -> None:
    version = triptych.export("features", extractor="whisper", store=store).version
    assert version.manifest["counts"] == {"undecodable": 1, "written": 5}
    held = {row["id"].rsplit("/")[-1]: (row, found) for row, found in arrays(version)}
    for name, file, span in (("whole", "a.flac", None), ("span", "c.flac", (8000, 20000))):
        samples, _ = soundfile.read(store.parent / file, dtype="float32")
        expected = log_mel(samples[slice(*span)] if span else samples, EXTRACTORS["whisper"])
        assert np.array_equal(held[name][1], expected)
    row, found = held["whole"]
    assert found.shape == (50, 80) == (row["frames"], row["dims"])
    assert (row["text"], row["language"], row["seconds"], row["dtype"]) == ("HELLO", "en", 0.5, "float32")
    assert "key" not in row and held["low"][1].shape == (40, 80)
    index = pq.read_table(version.path / "index.parquet").to_pylist()
    assert [row["start"] for row in index] == [0, *np.cumsum([row["frames"] for row in index[:-1]])]
    assert {row["start"] for row in index} == {row["start"] for row, _ in held.values()} and len(index) == 4
    assert held["again"][0]["start"] == row["start"] and held["again"][0]["text"] == "the same sound"
    assert not list(validate_file(version.data, "features"))


def test_a_shard_is_closed_at_its_size_and_a_version_is_made_again(store: Path) -> None:
    version = triptych.export("features", file_format="safetensors", shard_mb=1, store=store, name="tensors").version
    assert version.manifest["counts"] == {"too_short": 1, "undecodable": 1, "written": 4}
    rows = list(read_lines(version.data))
    assert len({row["key"] for row in rows}) == 3 and not any("start" in row for row in rows)
    data = (version.path / rows[0]["shard"]).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for row in rows:
        start, end = header[row["key"]]["data_offsets"]
        found = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4").reshape(header[row["key"]]["shape"])
        assert found.shape == (row["frames"], row["dims"]) and np.isfinite(found).all()
    assert not list(validate_file(version.data, "features"))
    packed = triptych.exports.pack(version.reference, store.parent / "packed", store=store)
    assert packed["files"][rows[0]["shard"]] == version.manifest["files"][rows[0]["shard"]]
    (version.path / rows[0]["shard"]).unlink()
    assert [finding.code for finding in validate_file(version.data, "features")] == ["missing_shard"] * 4
    assert triptych.exports.rebuild(version.reference, store=store).restored == [rows[0]["shard"]]
    assert triptych.exports.verify(version.reference, store=store) == {version.reference: []}


def test_what_is_cut_and_what_is_encoded_is_told_while_it_is_made(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "EVERY_S", 0.0)
    told = run("triptych", "export", "features", "--name", "told", "--store", store).stderr.splitlines()
    assert "export: 1 of 5 clips" in told and any(line.startswith("export: 4 of 5 clips; ") for line in told)
    made: list[tuple[int, int | None]] = []
    export_with("unified", store, ExportOptions(name="cut"), lambda *of: made.append(of))
    assert made == [(1, 1)]


def test_what_an_extractor_would_cut_is_refused() -> None:
    with pytest.raises(MediaError) as raised:
        log_mel(np.zeros(480_001, np.float32), EXTRACTORS["qwen2-audio"])
    assert raised.value.reason == "longer_than_30_s"


PLACES = ((0, 0), (3, 5), (50, None), (99, -1), (99, 0))
"""Frames and bins; None is half of them."""
OF_TRANSFORMERS = {
    "whisper": [0.637515, 0.565214, 0.663433, -0.149691, -0.227932],
    "qwen2-audio": [0.561756, 0.511811, 0.667064, -0.16409, -0.303691],
    "qwen3-omni": [0.561756, 0.511811, 0.667064, -0.16409, -0.303691],
}
"""What WhisperFeatureExtractor of transformers 5.23 gives there for `falling(16_123)`, without torch."""


def falling(samples: int) -> np.ndarray:
    """Noise that becomes 60 dB quieter: its end is near the floor of a spectrogram."""
    wave: np.ndarray = noise(samples / 16_000, seed=7) / 32_768 * np.linspace(1, 0.001, samples)
    return wave.astype(np.float32)


@pytest.mark.parametrize("name", OF_TRANSFORMERS)
def test_a_spectrogram_has_the_numbers_of_the_models_own_extractor(name: str) -> None:
    found = log_mel(falling(16_123), EXTRACTORS[name])
    bins = EXTRACTORS[name].bins
    assert found.shape == (101 if EXTRACTORS[name].longest_s else 100, bins)
    for (frame, place), expected in zip(PLACES, OF_TRANSFORMERS[name], strict=True):
        assert abs(found[frame, bins // 2 if place is None else place] - expected) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXTRACTORS)
@pytest.mark.parametrize("samples", [201, 400, 16_123, 25_447, 479_999, 480_000])
def test_a_spectrogram_has_all_numbers_of_the_extractor_that_is_installed(name: str, samples: int) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    ours, longest, wave = EXTRACTORS[name], EXTRACTORS[name].longest_s, falling(samples)
    theirs = transformers.WhisperFeatureExtractor(feature_size=ours.bins, chunk_length=longest or 30)
    padded = wave if longest is None else np.pad(wave, (0, longest * 16_000 - samples))
    expected = theirs._np_extract_fbank_features(padded[None], "cpu")[0].T
    found = log_mel(wave, ours)
    assert np.abs(found - expected[: len(found)]).max() < 1e-5
    how = {"padding": True} if longest is None else {"padding": "max_length"}
    given = theirs(wave, sampling_rate=16_000, return_attention_mask=True, return_tensors="np", **how)
    assert len(found) == given["attention_mask"].sum()
    # With torch it sums 32-bit floats, which costs this much near the floor.
    assert np.abs(found - given["input_features"][0].T[: len(found)]).max() < 1e-3


def test_a_shard_takes_clips_until_it_has_its_size(tmp_path: Path) -> None:
    shards = _Shards(tmp_path, file_format="npy", limit=100)
    (tmp_path / "shards").mkdir()
    places = [shards.add(str(n), np.full((n, 4), n, np.float32)) for n in (3, 3, 1, 9, 2)]
    shards.close()
    assert [(each["shard"][-5], each["start"], each["frames"]) for each in places] == [
        ("0", 0, 3), ("0", 3, 3), ("1", 0, 1), ("2", 0, 9), ("3", 0, 2)
    ]  # fmt: skip
    assert [np.load(tmp_path / f"shards/00000{n}.npy").shape for n in range(4)] == [(6, 4), (1, 4), (9, 4), (2, 4)]
    assert (np.load(tmp_path / "shards/000000.npy")[3:] == 3).all()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_hidden_states_are_those_of_the_model(store: Path, tmp_path: Path, kind: str) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    if kind == "whisper":
        config = transformers.WhisperConfig(d_model=8, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
                                            decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8,
                                            vocab_size=20,
                                            pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=0,
                                            suppress_tokens=None, begin_suppress_tokens=None)  # fmt: skip
        model, prepare = transformers.WhisperModel(config).eval(), transformers.WhisperFeatureExtractor()
    else:
        config = transformers.Wav2Vec2Config(hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
                                             intermediate_size=8, conv_dim=(4, 4), conv_stride=(5, 4),
                                             conv_kernel=(10, 4), num_conv_pos_embeddings=4, vocab_size=4,
                                             num_conv_pos_embedding_groups=2)  # fmt: skip
        model, prepare = transformers.Wav2Vec2Model(config).eval(), transformers.Wav2Vec2FeatureExtractor()
    model.save_pretrained(tmp_path / "model")
    prepare.save_pretrained(tmp_path / "model")
    file_format = "safetensors" if kind == "whisper" else "npy"
    options = {"features": "hidden-states", "encoder": tmp_path / "model", "file_format": file_format, "store": store,
               "name": kind}  # fmt: skip
    version = triptych.export("features", layer=1, **options).version
    samples, _ = soundfile.read(store.parent / "a.flac", dtype="float32")
    [given] = prepare(samples, sampling_rate=16_000, return_tensors="pt").values() if kind == "whisper" else [
        prepare(samples, sampling_rate=16_000, return_tensors="pt")["input_values"]]  # fmt: skip
    with torch.inference_mode():
        encoder = model.get_encoder() if kind == "whisper" else model
        expected = encoder(given, output_hidden_states=True).hidden_states[1][0].numpy()
    if kind == "whisper":
        tensors = pytest.importorskip("safetensors.numpy").load_file(version.path / "shards/000000.safetensors")
        [found] = [tensors[row["key"]] for row in read_lines(version.data) if row["id"].endswith("/whole")]
    else:
        [found] = [found for row, found in arrays(version) if row["id"].endswith("/whole")]
    assert len(found) == (25 if kind == "whisper" else len(expected))
    assert np.abs(found - expected[: len(found)]).max() < 1e-5
    assert version.manifest["options"]["own"]["encoder_sha256"] == digest(tmp_path / "model")
    with pytest.raises(UsageError, match="has layers 0 to 2"):
        triptych.export("features", layer=3, **options)


@pytest.mark.parametrize(("options", "said"), [
    ({"features": "hidden-states"}, "of which model"),
    ({"layer": 1}, "are for hidden states"),
    ({"features": "hidden-states", "encoder": "/no/such/model"}, "no model of transformers lies there"),
    ({"media_root": "/elsewhere"}, "is for rows that name it"),
])  # fmt: skip
def test_a_request_that_cannot_be_met_is_refused(store: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        triptych.export("features", store=store, **options)


def test_an_encoder_of_another_type_or_without_safe_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="the type 'bert' is not known"):
        digest(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "hubert"}')
    with pytest.raises(UsageError, match="no weights in safetensors"):
        digest(tmp_path)


GOOD = {"id": "a", "shard": "shards/0.npy", "start": 0, "frames": 2, "dims": 80}


@pytest.mark.parametrize(("change", "code"), [
    ({"id": "", "shard": "own.npy"}, "missing_id"), ({"frames": 0}, "bad_shape"),
    ({"key": "a"}, "no_place"), ({"start": None}, "no_place"),
    ({"shard": None}, "missing_shard"), ({"shard": "../a.npy"}, "outside_path"), ({}, "missing_shard"),
    ({"shard": "own.npy"}, None), ({"shard": "own.npy", "start": 3}, "other_shape"),
    ({"shard": "own.npy", "dims": 128}, "other_shape"), ({"shard": "text.npy"}, "other_shape"),
])  # fmt: skip
def test_a_broken_row_is_named(tmp_path: Path, change: dict[str, Any], code: str | None) -> None:
    np.save(tmp_path / "own.npy", np.zeros((4, 80), np.float32))
    (tmp_path / "text.npy").write_text("no array")
    rows = FORMATS["features"].Rows()
    assert not list(rows.begin(tmp_path / "data.jsonl"))
    assert [finding.code for finding in rows.check(1, GOOD | change)] == ([] if code is None else [code])


def test_limits_of_seconds_hold_for_clips_that_rows_do_not_name(store: Path) -> None:
    made = triptych.export("features", extractor="whisper", max_seconds=0.45, store=store)
    names = {row["id"].rpartition("/")[2] for row in read_lines(made.version.data)}
    assert made.counts["over_max_seconds"] >= 2 and names == {"low", "short"}
