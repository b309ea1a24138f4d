"""The cards of speech cut from long recordings: sessions, broadcasts, videos and their segments."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import csv_bytes, encoded, lines, on_host, on_hub, packed, parquet, unpacked
from support.pulls import columns, digests, extra, pulled, reasons, refused, rows_of, same, sha, without_network
from triptych.catalog.registry import get_card
from triptych.errors import DamagedError, GateError, UsageError

# ---- VoxPopuli


VOX_COLUMNS = (
    "id_ paragraph_id session_id speaker_id original_text normed_text decoded start_time end_time cer wer vad "
)
VOX_COLUMNS += "split gender"


def voxpopuli(folder: Path, base: str) -> tuple[dict[str, bytes], list[bytes]]:
    """Two sessions of two years, a table for English; the files of a mirror and, by name, of a tree."""
    sound = [encoded(n, "ogg", seconds=2.0) for n in range(2)]
    sessions = ("20090112-0900-PLENARY-3-en", "20100211-0900-PLENARY-5-en")
    vad = "[(0.25, 0.75), (1.0, 1.5)]"
    rows = [
        ("20090112-19:43:32_1", 1, sessions[0], "28150", "Mr President, 100% true.", "mr president true", "x", 0.25,
         1.5, 0.1, 0.2, vad, "train", "male"),
        ("20100211-10:00:00_2", 2, sessions[1], "None", "", "only normalized", "x", 0.5, 1.25, 0.1, 0.2, vad, "dev",
         "female"),
        ("20100211-10:00:00_3", 3, sessions[1], "4", "Bad.", "bad", "x", 0.5, 1.25, 0.9, 0.9, vad, "invalid", "female"),
    ]  # fmt: skip
    table = gzip.compress(csv_bytes([VOX_COLUMNS.split(), *rows], delimiter="|"), mtime=0)
    on_host(folder, f"{base}annotations/asr/asr_en.tsv.gz").write_bytes(table)
    files = {"asr_en.tsv.gz": table}
    for year in range(2009, 2021):
        held = {2009: {f"original/2009/{sessions[0]}_original.ogg": sound[0]},
                2010: {f"original/2010/{sessions[1]}_original.ogg": sound[1]}}.get(year, {})  # fmt: skip
        held = held or {f"original/{year}/other_original.ogg": b"of another language"}
        packed(on_host(folder, f"{base}audios/original_{year}.tar"), held)
        files |= {f"raw_audios/{name}": data for name, data in held.items()}
    return files, sound


def test_voxpopuli_raw_sessions_as_spans(tmp_path: Path) -> None:
    files, sound = voxpopuli(tmp_path / "mirror", "https://dl.fbaipublicfiles.com/voxpopuli/")
    rows = pulled("voxpopuli", tmp_path / "store", mirror=str(tmp_path / "mirror"), source="archive")
    first = "en/train/20090112-0900-PLENARY-3-en-20090112-19:43:32_1"
    second = "en/validation/20100211-0900-PLENARY-5-en-20100211-10:00:00_2"
    assert columns(rows, "text", "speaker", "language", "start_s", "end_s") == {
        first: ("Mr President, 100% true.", "28150", "en", 0.25, 1.5),
        second: ("only normalized", None, "en", 0.5, 1.25),
    }
    assert digests(rows) == {first: sha(sound[0]), second: sha(sound[1])}
    assert extra(rows[first])["vad"] == "[(0.25, 0.75), (1.0, 1.5)]"
    assert extra(rows[first])["normalized_text"] == "mr president true"
    assert reasons(tmp_path / "store") == {}
    tree = unpacked(tmp_path / "tree", files)
    assert same(rows, pulled("voxpopuli", tmp_path / "other", from_path=tree))


def test_voxpopuli_from_the_hub(tmp_path: Path) -> None:
    def row(n: int, raw: str) -> dict[str, Any]:
        return {"audio_id": f"s-{n}", "language": 0, "audio": {"bytes": noise(n), "path": f"{n}.wav"}, "raw_text": raw,
                "normalized_text": f"text {n}", "gender": "male", "speaker_id": "None" if n == 2 else "77",
                "is_gold_transcript": True, "accent": "None"}  # fmt: skip

    mirror = tmp_path / "mirror"
    parquet(on_hub(mirror, "facebook/voxpopuli", "de/train-00000-of-00001.parquet"), [row(1, "Text 1."), row(2, "")])
    parquet(on_hub(mirror, "facebook/voxpopuli", "de/validation-00000-of-00001.parquet"), [row(3, "Drei.")])
    parquet(on_hub(mirror, "facebook/voxpopuli", "de/test-00000-of-00001.parquet"), [row(4, "Vier.")])
    parquet(on_hub(mirror, "facebook/voxpopuli", "en_accented/test-00000-of-00001.parquet"), [row(5, "Five.")])
    rows = pulled("voxpopuli", tmp_path / "store", mirror=str(mirror), config=["de", "en_accented"])
    assert columns(rows, "text", "speaker", "language") == {
        "de/train/s-1": ("Text 1.", "77", "de"),
        "de/train/s-2": ("text 2", None, "de"),
        "de/validation/s-3": ("Drei.", "77", "de"),
        "de/test/s-4": ("Vier.", "77", "de"),
        "en_accented/test/s-5": ("Five.", "77", "en"),
    }


# ---- GigaSpeech and WenetSpeech


def segment(sid: str, start: float, end: float, text: str, subsets: list[str], **more: Any) -> dict[str, Any]:
    return {"sid": sid, "begin_time": start, "end_time": end, "text_tn": text, "text": text, "subsets": subsets, **more}


def gigaspeech() -> tuple[dict[str, bytes], bytes]:
    sound = encoded(1, "opus", seconds=3.0, rate=48_000)
    audio = {
        "title": "N/A", "url": "N/A", "path": "audio/podcast/P0001/POD0000000025.opus", "aid": "POD0000000025",
        "source": "podcast", "md5": "-", "duration": 3.0, "format": "opus", "sample_rate": 16000, "channels": 1,
        "segments": [
            segment("POD0000000025_S0000008", 0.25, 1.0, "FOUR O'CLOCK <COMMA> SAID WILLIAMS <PERIOD>",
                    ["{XL}", "{L}", "{S}", "{XS}"], speaker="N/A"),
            segment("POD0000000025_S0000009", 1.0, 1.75, "BIG ONE", ["{XL}"], speaker="N/A"),
            segment("POD0000000025_S0000010", 2.0, 2.5, "<MUSIC>", ["{XL}", "{XS}"], speaker="N/A"),
            segment("POD0000000025_S0000011", 2.5, 3.0, "HELD OUT", ["{DEV}"], speaker="N/A"),
        ],
    }  # fmt: skip
    document = {"dataset": "GigaSpeech", "language": "EN", "version": "v1.0.0", "audios": [audio]}
    return {"GigaSpeech.json": json.dumps(document).encode(), audio["path"]: sound}, sound  # type: ignore[dict-item]


def test_gigaspeech_raw_release_gives_spans_by_subset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    files, sound = gigaspeech()
    tree = unpacked(tmp_path / "tree", files)
    rows = pulled("gigaspeech", tmp_path / "store", from_path=tree, config=["xs", "dev"])
    assert columns(rows, "text", "speaker", "split", "start_s", "end_s") == {
        "xs/train/POD0000000025_S0000008": (
            "FOUR O'CLOCK <COMMA> SAID WILLIAMS <PERIOD>", None, "train", 0.25, 1.0,
        ),
        "dev/validation/POD0000000025_S0000011": ("HELD OUT", None, "validation", 2.5, 3.0),
    }  # fmt: skip
    assert set(digests(rows).values()) == {sha(sound)}
    assert reasons(tmp_path / "store") == {"POD0000000025_S0000010": "no_speech"}
    archive = packed(tmp_path / "gigaspeech.tar", files)
    assert same(rows, pulled("gigaspeech", tmp_path / "other", from_path=archive, config=["xs", "dev"]))
    larger = pulled("gigaspeech", tmp_path / "larger", from_path=tree, config="xl")
    assert sorted(larger) == ["xl/train/POD0000000025_S0000008", "xl/train/POD0000000025_S0000009"]


def test_gigaspeech_is_behind_its_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nobody"))
    with pytest.raises(GateError, match="terms of GigaSpeech") as caught:
        triptych.pull("gigaspeech", store=tmp_path / "store")
    assert "https://forms.gle/UuGQAPyscGRrUMLq6" in str(caught.value.hint)
    assert not rows_of("gigaspeech", tmp_path / "store")
    with pytest.raises(GateError, match="must be downloaded manually: the raw release"):
        triptych.pull("gigaspeech", store=tmp_path / "store", source="manual")


def test_gigaspeech_from_the_hub(tmp_path: Path) -> None:
    def row(n: int, text: str) -> dict[str, Any]:
        return {"segment_id": f"S{n}", "speaker": "N/A", "text": text, "begin_time": 1.0, "end_time": 2.0,
                "audio": {"bytes": noise(n), "path": f"{n}.wav"}, "audio_id": "A", "source": "podcast"}  # fmt: skip

    path = on_hub(tmp_path / "mirror", "fixie-ai/gigaspeech", "xl/train-00000-of-02279.parquet")
    parquet(path, [row(1, "HELLO <PERIOD>"), row(2, "<SIL>")])
    rows = pulled("gigaspeech", tmp_path / "store", mirror=str(tmp_path / "mirror"))
    # The clip is cut already: its times in the recording are no span.
    assert columns(rows, "text", "start_s", "end_s") == {"xl/train/S1": ("HELLO <PERIOD>", None, None)}
    assert extra(rows["xl/train/S1"])["begin_time"] == "1.0"
    assert reasons(tmp_path / "store") == {"S2": "no_speech"}
    assert get_card("gigaspeech").case == "upper"
    parquet(on_hub(tmp_path / "mirror", "fixie-ai/gigaspeech", "dev/dev-00000-of-00005.parquet"), [row(3, "HI")])
    assert "dev/validation/S3" in pulled(
        "gigaspeech", tmp_path / "store", mirror=str(tmp_path / "mirror"), config="dev"
    )
    with pytest.raises(GateError, match="the raw release"):
        triptych.pull("gigaspeech", store=tmp_path / "store", config="xs")


def wenetspeech() -> tuple[dict[str, bytes], list[bytes]]:
    sound = [encoded(n, "opus", seconds=2.0, rate=48_000) for n in range(2)]
    document = {"audios": [
        {"aid": "Y1", "duration": 2.0, "path": "audio/train/youtube/B00000/Y1.opus", "segments": [
            segment("Y1_S1", 0.0, 0.5, "而 对　楼市\u00a0成交", ["L", "M", "S"], confidence=1.0),
            segment("Y1_S2", 0.5, 1.0, "弱", ["W"], confidence=0.6)]},
        {"aid": "D1", "duration": 2.0, "path": "audio/dev/third_party/B00000/D1.opus", "segments": [
            segment("D1_S1", 0.25, 1.5, "开发", ["DEV"], confidence=1.0)]},
    ]}  # fmt: skip
    files = {"WenetSpeech.json": json.dumps(document, ensure_ascii=False).encode()}
    return files | {a["path"]: s for a, s in zip(document["audios"], sound, strict=True)}, sound


WENET = {
    "s/train/Y1_S1": ("而对楼市成交", "zh", 0.0, 0.5),
    "dev/dev/D1_S1": ("开发", "zh", 0.25, 1.5),
}


def test_wenetspeech_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(monkeypatch)
    refused("wenetspeech", tmp_path / "none", "https://wenet-e2e.github.io/WenetSpeech/", "WENETSPEECH_PASSWORD")
    files, sound = wenetspeech()
    rows = pulled("wenetspeech", tmp_path / "store", from_path=unpacked(tmp_path / "tree", files))
    assert columns(rows, "text", "language", "start_s", "end_s") == WENET
    assert digests(rows) == {"s/train/Y1_S1": sha(sound[0]), "dev/dev/D1_S1": sha(sound[1])}
    assert extra(rows["s/train/Y1_S1"])["text"] == "而 对　楼市\u00a0成交"
    weak = pulled("wenetspeech", tmp_path / "weak", from_path=tmp_path / "tree", config="w")
    assert {i: extra(row)["confidence"] for i, row in weak.items()} == {"w/train/Y1_S2": "0.6"}


def encrypted(data: bytes, password: str) -> bytes:
    """As `openssl enc -aes-256-cbc -pbkdf2 -pass pass:...` writes it."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    salt = b"8 bytes."
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, 48)
    cipher = Cipher(algorithms.AES256(made[:32]), modes.CBC(made[32:])).encryptor()
    fill = 16 - len(data) % 16
    return b"Salted__" + salt + cipher.update(data + bytes([fill]) * fill) + cipher.finalize()


def wenet_objects(folder: Path) -> Path:
    files, _ = wenetspeech()
    for name, data in files.items():
        plain = packed(folder / "plain.tar.gz", {name: data}).read_bytes()
        target = folder / "objects" / name.removesuffix(".opus")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f"{target.name}.aes.tgz").write_bytes(encrypted(plain, "the password"))
    return folder / "objects"


def test_wenetspeech_encrypted_objects_need_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = wenet_objects(tmp_path)
    with pytest.raises(UsageError, match="WENETSPEECH_PASSWORD is not set"):
        triptych.pull("wenetspeech", store=tmp_path / "none", from_path=objects)
    monkeypatch.setenv("WENETSPEECH_PASSWORD", "the password")
    rows = pulled("wenetspeech", tmp_path / "store", from_path=objects)
    assert columns(rows, "text", "language", "start_s", "end_s") == WENET
    monkeypatch.setenv("WENETSPEECH_PASSWORD", "not the password")
    result = triptych.pull("wenetspeech", store=tmp_path / "wrong", from_path=objects)
    assert result.stored == 0
    assert result.damaged
    assert set(reasons(tmp_path / "wrong").values()) == {"wrong_password"}


WENET_HOST = "wenet.meeting.tencent.com/WenetSpeech"
WENET_LIST = (
    "https://raw.githubusercontent.com/wenet-e2e/WenetSpeech/b54b6d9ee5111ab1a5c9087e363aa2f962f5ed5d/metadata/v1.list"
)


def test_wenetspeech_from_the_objects_of_its_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = wenet_objects(tmp_path)
    mirror = tmp_path / "mirror"
    shutil.copytree(objects, mirror / WENET_HOST)
    paths = sorted(path.relative_to(objects).as_posix() for path in objects.rglob("*.tgz"))
    sums = {path: hashlib.md5((objects / path).read_bytes(), usedforsecurity=False).hexdigest() for path in paths}
    on_host(mirror, WENET_LIST).write_bytes(lines("# md5 path", *(f"{sums[path]} {path}" for path in paths)))
    table = mirror / WENET_HOST / "WenetSpeech.json.aes.tgz"
    (mirror / "mirror.yaml").write_text(f"sha256: {{{WENET_HOST}/{table.name}: {sha(table.read_bytes())}}}\n")
    monkeypatch.setenv("WENETSPEECH_PASSWORD", "the password")
    rows = pulled("wenetspeech", tmp_path / "store", mirror=str(mirror), split=["train", "dev"])
    assert columns(rows, "text", "language", "start_s", "end_s") == WENET
    dev = mirror / WENET_HOST / "audio/dev/third_party/B00000/D1.aes.tgz"
    dev.write_bytes(dev.read_bytes()[:-16])
    with pytest.raises(DamagedError, match=sums[dev.relative_to(mirror / WENET_HOST).as_posix()]):
        triptych.pull("wenetspeech", store=tmp_path / "other", mirror=str(mirror), split="dev")
    on_host(mirror, WENET_LIST).write_bytes(lines("nonsense ../etc/passwd"))
    with pytest.raises(UsageError, match="line 1: expected an MD5 checksum and a path"):
        triptych.pull("wenetspeech", store=tmp_path / "third", mirror=str(mirror), split="dev")


# ---- The People's Speech


def test_peoples_speech_keeps_the_licence_of_each_configuration(tmp_path: Path) -> None:
    def write(path: str, n: int) -> None:
        row = {"id": f"folder/{n}.flac", "audio": {"bytes": encoded(n, "flac"), "path": f"{n}.flac"},
               "duration_ms": 300, "text": f"text {n}"}  # fmt: skip
        parquet(on_hub(tmp_path / "mirror", "MLCommons/peoples_speech", path), [row])

    write("microset/train-00000-of-00001.parquet", 1)
    write("clean_sa/train-00000-of-00002.parquet", 2)
    write("clean_sa/train-00001-of-00002.parquet", 3)
    write("clean_sa/test-00000-of-00001.parquet", 4)
    write("test/test-00000-of-00001.parquet", 4)
    mirror = str(tmp_path / "mirror")
    assert list(pulled("peoples_speech", tmp_path / "few", mirror=mirror)) == ["microset/train/folder/1.flac"]
    rows = pulled("peoples_speech", tmp_path / "store", mirror=mirror, config=["clean_sa", "test"])
    assert columns(rows, "text", "split", "license") == {
        "clean_sa/train/folder/2.flac": ("text 2", "train", "CC-BY-SA"),
        "clean_sa/train/folder/3.flac": ("text 3", "train", "CC-BY-SA"),
        "test/test/folder/4.flac": ("text 4", "test", "CC-BY and CC-BY-SA, by configuration"),
    }
    assert extra(rows["test/test/folder/4.flac"]) == {"duration_ms": "300"}


def test_peoples_speech_as_a_tree_of_flac(tmp_path: Path) -> None:
    """The manifests are JSON Lines in spite of their names; a line has lists of clips, each a file."""
    sound = [encoded(n, "flac") for n in range(3)]
    session = {"identifier": "talk", "training_data": {"duration_ms": [300, 300], "label": ["one", "two"],
                                                       "name": ["talk/0.flac", "talk/1.flac"]}}  # fmt: skip
    other = {"identifier": "b", "training_data": {"duration_ms": [300], "label": ["held out"], "name": ["b/0.flac"]}}
    tree = unpacked(tmp_path / "tree", {
        "train/clean_sa.json": lines(json.dumps(session)), "train/clean_sa/talk/0.flac": sound[0],
        "train/clean_sa/talk/1.flac": sound[1],
        "test/test.json": lines(json.dumps(other)), "test/test/b/0.flac": sound[2],
    })  # fmt: skip
    rows = pulled("peoples_speech", tmp_path / "store", from_path=tree, config=["clean_sa", "test"])
    assert columns(rows, "text", "split", "license") == {
        "clean_sa/train/talk/0.flac": ("one", "train", "CC-BY-SA"),
        "clean_sa/train/talk/1.flac": ("two", "train", "CC-BY-SA"),
        "test/test/b/0.flac": ("held out", "test", "CC-BY and CC-BY-SA, by configuration"),
    }
    assert list(digests(rows).values()) == [sha(data) for data in sound]
    assert extra(rows["clean_sa/train/talk/1.flac"]) == {"identifier": "talk", "duration_ms": "300", "index": "1"}
    with pytest.raises(UsageError, match="of its default configuration microset, but of others: clean_sa, test"):
        triptych.pull("peoples_speech", store=tmp_path / "none", from_path=tree)
