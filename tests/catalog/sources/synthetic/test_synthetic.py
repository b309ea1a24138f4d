"""The synthetic source: its files are exact, reproducible, and read back by the sidecar reader."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
import pyarrow as pa
import pytest
import soundfile
from triptych.catalog.sources.synthetic.source import LANGUAGES, SyntheticSource
from triptych.catalog.sources.synthetic.speech import SAMPLE_RATE, Speech, speak, split_words
from triptych.catalog.sources.synthetic.video import MOTIONS, SHAPES, Scene, draw_frame, encode_scene
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers.corpora.sidecar import SidecarReader
from triptych.converters.readers.corpora.spool import WaitingMedia
from triptych.errors import UsageError
from triptych.shards.sample import SCHEMA

pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'triptych[demo]'")

KINDS = ("speech", "video", "av")


def digests(source: SyntheticSource, files: int | None = None) -> list[tuple[str, str]]:
    return [(file.name, hashlib.sha256(file.read()).hexdigest()) for file in islice(source.files(), files)]


def samples(source: SyntheticSource) -> Iterator[tuple[bytes, dict[str, Any]]]:
    files = source.files()
    for media, side in zip(files, files, strict=True):
        yield media.read(), json.loads(side.read())


def decoded(media: bytes, kind: str) -> list[np.ndarray[Any, Any]]:
    with av.open(io.BytesIO(media), "r") as container:
        if kind == "video":
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return [frame.to_ndarray()[0] for frame in container.decode(audio=0)]


def loudness(pcm: np.ndarray[Any, Any], rate: int, spans: list[dict[str, Any]]) -> tuple[float, float]:
    """RMS inside and outside the spans."""
    inside = np.zeros(len(pcm), dtype=bool)
    for span in spans:
        inside[round(span["start_s"] * rate) : round(span["end_s"] * rate)] = True
    power = pcm.astype(np.float64) ** 2
    return float(np.sqrt(power[inside].mean())), float(np.sqrt(power[~inside].mean()))


# Reproducible


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_bytes_in_this_and_in_a_fresh_process(kind: str) -> None:
    source = SyntheticSource(kind=kind, seed=11, count=3)
    first = digests(source)
    speak("Something else in between, with another voice.", "de+m3", rate=120)
    assert digests(source) == first

    program = (
        "import hashlib; from triptych.catalog.sources.synthetic.source import SyntheticSource\n"
        f"for file in SyntheticSource(kind={kind!r}, seed=11, count=3).files():\n"
        "    print(file.name, hashlib.sha256(file.read()).hexdigest())\n"
    )
    environment = {**os.environ, "MALLOC_PERTURB_": "170"}  # glibc fills new memory: nothing may depend on it
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert [tuple(line.split()) for line in done.stdout.splitlines()] == first


@pytest.mark.parametrize("kind", KINDS)
def test_n_samples_are_a_prefix_of_m_samples_and_of_an_endless_corpus(kind: str) -> None:
    five = digests(SyntheticSource(kind=kind, seed=3, count=5))
    assert len(five) == 10
    assert digests(SyntheticSource(kind=kind, seed=3, count=2)) == five[:4]
    assert digests(SyntheticSource(kind=kind, seed=3, count=None), 6) == five[:6]


def test_another_seed_is_another_corpus() -> None:
    one, other = (digests(SyntheticSource(kind="speech", seed=seed, count=4)) for seed in (1, 2))
    assert [name for name, _ in one] == [name for name, _ in other]
    assert not {digest for _, digest in one} & {digest for _, digest in other}


def test_unread_files_are_not_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.catalog.sources.synthetic.speech.speak", None)
    names = [file.name for file in SyntheticSource(kind="speech", count=1000).files()]
    assert len(names) == 2000


def test_splits_are_mixed_evenly_whatever_the_count() -> None:
    source = SyntheticSource(kind="video", count=100)
    splits = [source.split_of(number) for number in range(100)]
    assert splits.count("train") == pytest.approx(80, abs=1)
    assert splits.count("validation") == pytest.approx(10, abs=1)
    assert splits.count("test") == pytest.approx(10, abs=1)
    assert all(set(splits[first : first + 20]) == {"train", "validation", "test"} for first in range(80))
    wanted = [file.name for file in source.files(wants=lambda split: split == "test")]
    assert len(wanted) == 2 * splits.count("test")
    assert all(name.startswith("test/") for name in wanted)


@pytest.mark.parametrize(
    "options",
    [{"kind": "music"}, {"kind": "speech", "languages": ["tlh"]}, {"kind": "av", "count": -1},
     {"kind": "video", "splits": {"train": 0.0}}, {"kind": "video", "splits": {"../train": 1.0}}],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        SyntheticSource(**options)


def test_without_espeak_the_message_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UsageError, match="synthetic source needs espeak-ng") as raised:
        next(SyntheticSource(kind="speech").files())
    assert raised.value.hint == "pip install 'triptych[demo]'"
    assert next(SyntheticSource(kind="video").files()).name == "train/video-000000.mp4"


# Speech


@pytest.fixture(scope="module")
def spoken() -> list[tuple[bytes, dict[str, Any]]]:
    return list(samples(SyntheticSource(kind="speech", seed=5, count=60)))


def test_speech_is_16_khz_mono_of_the_length_the_sidecar_says(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for media, columns in spoken:
        pcm, rate = soundfile.read(io.BytesIO(media), dtype="int16")
        assert (rate, pcm.ndim) == (16_000, 1)
        assert len(pcm) == int(columns["extra"]["frames_16k"])
        assert 2.0 < len(pcm) / rate < 8.0
        assert 1000 < np.abs(pcm.astype(int)).max() < 32767, "neither silent nor clipped"


def test_speech_has_every_language_and_several_speakers(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    assert {columns["language"] for _, columns in spoken} == set(LANGUAGES)
    assert len({columns["speaker"] for _, columns in spoken}) > 15
    assert len({columns["text"] for _, columns in spoken}) > 55


def test_words_are_those_of_the_text_in_order_and_inside_the_audio(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for media, columns in spoken:
        words, duration = columns["words"], soundfile.info(io.BytesIO(media)).duration
        if columns["language"] == "zh":
            assert "".join(word["text"] for word in words) == columns["text"].translate(str.maketrans("", "", "，。"))
        else:
            assert [word["text"] for word in words] == split_words(columns["text"])
        for timed in (words, columns["phones"]):
            assert timed[0]["start_s"] >= 0
            assert all(one["start_s"] < one["end_s"] for one in timed)
            assert all(one["end_s"] <= other["start_s"] for one, other in pairwise(timed))
            assert timed[-1]["end_s"] <= duration


def test_every_word_sounds_and_the_rest_is_silent(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for media, columns in spoken:
        pcm, rate = soundfile.read(io.BytesIO(media), dtype="int16")
        inside, outside = loudness(pcm, rate, columns["words"])
        assert inside > 20 * outside, columns["text"]
        for word in columns["words"]:
            assert loudness(pcm, rate, [word])[0] > inside / 20, word


def test_every_phone_lies_within_a_word(spoken: list[tuple[bytes, dict[str, Any]]]) -> None:
    for _, columns in spoken:
        for phone in columns["phones"]:
            assert any(
                word["start_s"] <= phone["start_s"] and phone["end_s"] <= word["end_s"] for word in columns["words"]
            ), phone


def test_word_times_follow_the_rate_of_speech() -> None:
    text = "The baker sold, before noon, seven small cakes."
    slow, fast = (speak(text, "en-gb-x-rp+f2", rate=rate) for rate in (100, 200))
    assert slow.duration > 1.5 * fast.duration
    for speech in (slow, fast):
        assert speech.words is not None
        assert [word.text for word in speech.words] == split_words(text)
        sold, before = speech.words[2], speech.words[3]
        assert before.start_s - sold.end_s > 0.05, "the comma is a pause"
        gap = speech.pcm[round((sold.end_s + 0.04) * SAMPLE_RATE) : round((before.start_s - 0.04) * SAMPLE_RATE)]
        assert np.abs(gap.astype(int)).max() < 0.03 * np.abs(speech.pcm.astype(int)).max()


def test_words_spoken_as_one_have_no_times_rather_than_wrong_ones() -> None:
    speech: Speech = speak("He ran out of the house.", "en-us")
    assert speech.words is None
    assert speech.phones


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(UsageError, match="xx-nowhere"):
        speak("Hello.", "xx-nowhere")


# Video


def test_video_decodes_to_the_declared_frames_and_moves() -> None:
    for media, columns in samples(SyntheticSource(kind="video", seed=5, count=4)):
        frames = decoded(media, "video")
        assert len(frames) == int(columns["extra"]["video_frames"])
        assert frames[0].shape == (240, 320, 3)
        changes = [np.abs(one.astype(int) - other).max() for one, other in pairwise(frames)]
        assert np.mean([change > 20 for change in changes]) > 0.8
        assert columns["text"] == columns["captions"][0]
        for fact in ("shape", "colour", "background"):
            assert columns["extra"][fact] in columns["text"].lower()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("motion", MOTIONS)
def test_every_shape_stays_in_the_picture_and_goes_where_the_caption_says(shape: str, motion: str) -> None:
    scene = Scene(shape, "red", motion, "black")
    centres, areas = [], []
    for progress in (0.0, 0.25, 0.5, 1.0):
        red = draw_frame(scene, progress, 320, 240)[..., 0] > 100
        edges = np.concatenate([red[0], red[-1], red[:, 0], red[:, -1]])
        assert red.any() and not edges.any()
        centres.append(np.argwhere(red).mean(axis=0))
        areas.append(int(red.sum()))
    (top, left), (bottom, right) = centres[0], centres[-1]
    assert (right - left > 100) == (motion == "right")
    assert (left - right > 100) == (motion == "left")
    assert (bottom - top > 100) == (motion == "down")
    assert (top - bottom > 100) == (motion == "up")
    assert (areas[-1] > 4 * areas[0]) == (motion == "grow")
    assert (areas[0] > 4 * areas[-1]) == (motion == "shrink")
    assert (abs(centres[1][0] - top) > 50) == (motion in {"bounce", "circle"})


def test_an_encoded_frame_looks_like_the_drawn_one() -> None:
    scene = Scene("star", "orange", "circle", "dark blue")
    frames = decoded(encode_scene(scene, frames=12, fps=12), "video")
    for number in (0, 5, 11):
        drawn = draw_frame(scene, number / 11, 320, 240).astype(int)
        assert np.abs(frames[number] - drawn).mean() < 6


# Audio and video together


def test_av_holds_a_voice_that_fits_the_words_and_the_picture() -> None:
    for media, columns in samples(SyntheticSource(kind="av", seed=5, count=4)):
        frames, sound = decoded(media, "video"), np.concatenate(decoded(media, "audio"))
        assert len(frames) == int(columns["extra"]["video_frames"])
        spoken_frames = int(columns["extra"]["frames_16k"])
        assert spoken_frames <= len(sound) < spoken_frames + 2048, "AAC pads to whole frames"
        assert len(sound) / 16_000 <= len(frames) / int(columns["extra"]["fps"])
        assert [word["text"] for word in columns["words"]] == split_words(columns["extra"]["speech"])
        inside, outside = loudness(sound[:spoken_frames], 16_000, columns["words"])
        assert inside > 20 * outside
        assert columns["text"] == f'{columns["captions"][0]} A voice says: "{columns["extra"]["speech"]}"'
        assert f"{columns['extra']['colour']} {columns['extra']['shape']}" in columns["extra"]["speech"]


# The sidecar reader


def raw(name: str, data: bytes | str, *, split: str | None = "train", revision: str = "r1") -> RawFile:
    content = data.encode() if isinstance(data, str) else data
    return RawFile(name, f"test:{name}", revision, len(content), lambda: io.BytesIO(content), split=split)


def read(*files: RawFile | Rejection, context: ReadContext | None = None) -> tuple[list[Candidate], list[Rejection]]:
    taken = list(SidecarReader().read(files, context or ReadContext("demo")))
    kept = [one for one in taken if isinstance(one, Candidate)]
    return kept, [one for one in taken if isinstance(one, Rejection)]


@pytest.mark.parametrize("kind", KINDS)
def test_synthetic_files_become_candidates_that_fit_the_schema(kind: str) -> None:
    files = list(SyntheticSource(kind=kind, seed=5, count=2).files())
    kept, rejected = read(*files)
    assert not rejected
    assert [one.source_id for one in kept] == [f"{kind}-000000", f"{kind}-000001"]
    media_kind = "audio" if kind == "speech" else "video"
    for one, file in zip(kept, files[::2], strict=True):
        assert [(name, blob.data) for name, blob in one.media] == [(media_kind, file.read())]
        assert (one.uri, one.revision, one.split) == (file.uri, "synthetic-1:seed=5", file.split)
        row = pa.Table.from_pylist([one.fields], schema=SCHEMA)
        assert row["text"][0].as_py()
        assert all(isinstance(value, str) for value in one.fields["extra"].values())


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 0, 3, 2), (0, 2, 3, 1), (3, 1, 2, 0)])
def test_pairs_come_in_any_order(order: tuple[int, ...]) -> None:
    files = [raw("train/a.wav", b"A"), raw("train/a.json", '{"text": "one"}'),
             raw("train/b.MP4", b"B"), raw("train/b.json", '{"text": "two"}')]  # fmt: skip
    kept, rejected = read(*(files[number] for number in order))
    assert not rejected
    found = {one.source_id: (one.fields["text"], one.media[0][0], one.media[0][1].data) for one in kept}
    assert found == {"a": ("one", "audio", b"A"), "b": ("two", "video", b"B")}


def test_media_from_a_stream_is_kept_until_its_sidecar_comes() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in (("x/a.flac", b"sound"), ("x/b.flac", b"noise"), ("x/b.json", b"{}"), ("x/a.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))

    def members() -> Iterator[RawFile]:
        with tarfile.open(fileobj=io.BytesIO(packed.getvalue()), mode="r|") as tar:
            for member in tar:
                opened = tar.extractfile(member)
                assert opened is not None
                yield RawFile(member.name, member.name, "", member.size, partial(cast, BinaryIO, opened))

    kept = [one for one in SidecarReader().read(members(), ReadContext("demo")) if isinstance(one, Candidate)]
    assert [(one.source_id, one.media[0][1].data) for one in kept] == [("x/b", b"noise"), ("x/a", b"sound")]


def test_media_beyond_the_limit_waits_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WaitingMedia.__init__.__kwdefaults__ or {}, "limit", 5)
    files = [raw("a.wav", b"AAAA"), raw("b.wav", b"BBBB"), raw("c.wav", b"CCCC")]
    files += [raw("c.json", "[]"), raw("b.json", "{}")]
    for file in files:
        file.spool = tmp_path
    kept, rejected = read(*files)
    blob = kept[0].media[0][1]
    assert blob.temporary and blob.path is not None and blob.path.read_bytes() == b"BBBB"
    assert [one.reason for one in rejected] == ["bad_sidecar", "no_sidecar"]
    assert list(tmp_path.iterdir()) == [blob.path], "what is rejected leaves nothing behind"


def test_a_file_without_its_counterpart_is_rejected_at_the_end() -> None:
    kept, rejected = read(
        raw("train/a.wav", b"A"), raw("train/b.json", "{}"), raw("train/c.wav", b"C"), raw("train/c.json", "{}"),
        raw("train/README.txt", "about"), raw("train/a.flac", b"A"),
    )  # fmt: skip
    assert [one.source_id for one in kept] == ["c"]
    assert [(one.candidate, one.reason, one.uri) for one in rejected] == [
        ("a", "no_sidecar", "test:train/a.flac"),
        ("a", "no_sidecar", "test:train/a.wav"),
        ("b", "no_media", "test:train/b.json"),
    ]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"text": "a",\n "speaker": }', "train/a.json, line 2, column 13"),
        (b"", "train/a.json, line 1, column 1"),
        (b"[1, 2]", "train/a.json, line 1: [1, 2], expected one JSON object"),
        (b'{"text": "\xff"}', "train/a.json: byte 10 is not UTF-8"),
        (b'{"text": 5}', "train/a.json: 'text' is 5, expected string"),
        (b'{"words": [{"text": "a", "start_s": "soon"}]}', "train/a.json: 'words' is"),
        (b'{"extra": ["x"]}', "train/a.json: 'extra' is [\"x\"], expected an object"),
        (b'{"source_id": ["x"]}', "train/a.json: 'source_id' is [\"x\"], expected a string"),
    ],
)
@pytest.mark.parametrize("media_first", [True, False])
def test_a_bad_sidecar_is_rejected_with_its_place(content: bytes, place: str, media_first: bool) -> None:
    files = [raw("train/a.wav", b"A"), raw("train/a.json", content)]
    kept, rejected = read(*(files if media_first else reversed(files)))
    assert not kept
    assert [(one.candidate, one.reason) for one in rejected] == [("a", "bad_sidecar")]
    assert place in rejected[0].detail


def test_unknown_keys_go_to_extra_as_strings() -> None:
    content = {
        "source_id": "utt-1", "text": "hi", "captions": ["x"], "mood": "calm", "takes": 3, "tags": ["a", "ü"],
        "absent": None, "id": "theirs", "extra": {"room": 12},
    }  # fmt: skip
    kept, _ = read(raw("train/a.wav", b"A"), raw("train/a.json", json.dumps(content)))
    assert kept[0].source_id == "utt-1"
    assert kept[0].fields == {
        "text": "hi",
        "captions": ["x"],
        "extra": {"room": "12", "mood": "calm", "takes": "3", "tags": '["a", "ü"]', "id": "theirs"},
    }


def test_split_and_config_come_from_the_sidecar_where_the_source_knows_none() -> None:
    content = '{"split": "dev", "config": "clean"}'
    files = [raw("a.wav", b"A", split=None), raw("a.json", content, split=None)]
    kept, _ = read(*files)
    assert (kept[0].split, kept[0].config, kept[0].source_id) == ("dev", "clean", "a")
    assert read(*files, context=ReadContext("demo", wants=lambda split: split == "train")) == ([], [])


def test_rejections_of_the_source_pass_through() -> None:
    refused = Rejection("x", "unsafe_name", "climbs out")
    assert read(refused) == ([], [refused])
