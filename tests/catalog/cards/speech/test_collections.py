"""The cards of collections over other corpora's recordings: captions of videos, cuts, manifests without sound."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.natives import encoded, json_lines, on_host, on_hub, packed, parquet, summed, unpacked
from support.pulls import columns, extra, pulled, reasons, rows_of
from triptych.errors import GateError

# ---- Loquacious


def test_loquacious_takes_validation_and_test_from_their_own_files(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    for number, path in enumerate(["small/train-00000-of-00001", "dev/dev-00000-of-00006", "test/test-00000-of-00006"]):
        rows = [{"ID": f"cv_{number}", "duration": 0.3, "wav": {"bytes": encoded(number, "wav"), "path": "a.wav"},
                 "spk_id": "spk1" if number else None, "sex": "M", "text": f"twenty {number}"},
                {"ID": f"long_{number}", "duration": 30.0, "wav": {"bytes": encoded(9, "wav"), "path": "b.wav"},
                 "spk_id": "spk2", "sex": "F", "text": "another sound"}]  # fmt: skip
        parquet(on_hub(mirror, "speechbrain/LoquaciousSet", f"{path}.parquet"), rows)
    for config in ("small", "dev", "test"):
        triptych.pull("loquacious", store=tmp_path / "store", mirror=str(mirror), config=config)
    found = rows_of("loquacious", tmp_path / "store")
    assert columns(found, "split", "text", "speaker") == {
        "small/train/cv_0": ("train", "twenty 0", None),
        "dev/dev/cv_1": ("dev", "twenty 1", "spk1"),
        "test/test/cv_2": ("test", "twenty 2", "spk1"),
    }
    assert {reasons(tmp_path / "store")[f"long_{n}"] for n in range(3)} == {"other_length"}


# ---- YODAS2


def yodas_shard(config: str, shard: int, videos: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    """The files of one shard; `videos` are utterance -> caption by the id of the video."""
    at = f"data/{config}"
    texts = [{"audio_id": video, "text": dict(captions)} for video, captions in videos.items()]
    sounds = {f"./{video}.wav": encoded(n, "wav", seconds=3.0, rate=24_000) for n, video in enumerate(videos)}
    buffer = Path(f"{shard:08d}.tar.gz")
    return {
        f"{at}/text/{shard:08d}.json": json.dumps(texts, ensure_ascii=False).encode(),
        f"{at}/duration/{shard:08d}.txt": "".join(f"{video} 3.0\n" for video in videos).encode(),
        **{f"{at}/audio/{buffer}!{name}": data for name, data in sounds.items()},
    }


def test_yodas2_cuts_utterances_by_the_times_in_their_names(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    shard = yodas_shard("de000", 0, {
        "Ya-_-01": {"Ya-_-01-00000-00000018-00000150": "Grüß „Gott“", "Ya-_-01-00001-00000150-00000299": ""},
        "Yb02": {"Yb02-00000-00000000-00000100": "Zwei"},
    })  # fmt: skip
    members = {name.rpartition("!")[2]: data for name, data in shard.items() if "!" in name}
    for name, data in shard.items():
        if "!" not in name:
            on_hub(mirror, "espnet/yodas2", name).write_bytes(data)
    packed(on_hub(mirror, "espnet/yodas2", "data/de000/audio/00000000.tar.gz"), members)
    found = pulled("yodas2", tmp_path / "store", mirror=str(mirror), config="de000")
    expected = {
        "de000/train/Ya-_-01-00000-00000018-00000150": ("Grüß „Gott“", "de", 0.18, 1.5),
        "de000/train/Yb02-00000-00000000-00000100": ("Zwei", "de", 0.0, 1.0),
    }
    assert columns(found, "text", "language", "start_s", "end_s") == expected
    assert reasons(tmp_path / "store") == {"Ya-_-01-00001-00000150-00000299": "no_text"}
    on_hub(mirror, "espnet/yodas2", "data/de000/text/00000001.json").write_bytes(b"[cut off")
    few = pulled("yodas2", tmp_path / "few", mirror=str(mirror), config="de000", samples=2)
    assert set(few) == set(expected)
    assert "bad_json" not in reasons(tmp_path / "few").values()
    triptych.pull("yodas2", store=tmp_path / "few", mirror=str(mirror), config="de000")
    assert "bad_json" in reasons(tmp_path / "few").values()
    tree = {f"{name.partition('!')[0].removesuffix('.tar.gz')}/{name.rpartition('!')[2]}" if "!" in name else name: data
            for name, data in shard.items()}  # fmt: skip
    own = pulled("yodas2", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree), config="de000")
    assert columns(own, "text", "language", "start_s", "end_s") == expected


# ---- Granary


def granary_row(name: str, **more: Any) -> dict[str, Any]:
    return {"utt_id": name, "audio_filepath": f"yodas/{name}.wav", "text": f"Text {name}.", "duration": 0.3,
            "original_source_id": "Yb02", "dataset_source": "yodas", **more}  # fmt: skip


def test_granary_never_puts_the_text_of_a_piece_beside_a_whole_recording(tmp_path: Path) -> None:
    whole = encoded(3, "wav", seconds=2.0)
    tree = {
        "de/yodas/de_asr_de000.jsonl": json_lines([
            granary_row("u1"),
            granary_row("u2"),
            granary_row("u3", offset=1.5),
            granary_row("u4"),
        ]),
        "de/yodas/de_ast-en.jsonl": json_lines([granary_row("u1", answer="Translated.")]),
        "de/ytc/de_asr.jsonl": json_lines([{**granary_row("u1"), "audio_filepath": "ytc/u1.wav"}]),
        "yodas/u1.wav": encoded(1, "wav"), "yodas/u2.wav": whole, "yodas/u3.wav": whole,
        "ytc/u1.wav": encoded(4, "wav"),
    }  # fmt: skip
    found = pulled("granary", tmp_path / "store", from_path=unpacked(tmp_path / "tree", tree), config="de")
    assert columns(found, "text", "language", "start_s", "end_s") == {
        "de/asr/yodas/u1": ("Text u1.", "de", None, None),
        "de/asr/yodas/u3": ("Text u3.", "de", 1.5, 1.8),
        "de/asr/ytc/u1": ("Text u1.", "de", None, None),
    }
    assert reasons(tmp_path / "store") == {"u2": "other_length"}
    assert {extra(row)["original_source_id"] for row in found.values()} == {"Yb02"}
    with pytest.raises(GateError, match="nvidia/Granary"):
        triptych.pull("granary", store=tmp_path / "other", config="de")


# ---- Emilia


def emilia_row(name: str, **more: Any) -> dict[str, Any]:
    batch = name.rpartition("_W")[0]
    return {"id": name, "wav": f"{batch[:9]}/{batch}/mp3/{name}.mp3", "text": f" Text {name}.", "duration": 0.3,
            "speaker": batch, "language": "de", "dnsmos": 3.3697, **more}  # fmt: skip


def test_emilia_reads_tars_of_json_and_mp3_and_the_older_tree(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    names = ["DE_B00000_S00000_W000029", "DE_B00000_S00010_W000001"]
    sounds = {name: encoded(n, "mp3", rate=24_000) for n, name in enumerate(names)}
    members = {f"{name}.{kind}": data for name in names
               for kind, data in (("json", json.dumps(emilia_row(name)).encode()), ("mp3", sounds[name]))}  # fmt: skip
    packed(on_hub(mirror, "amphion/Emilia-Dataset", "Emilia/DE/DE-B000000.tar"), members)
    long = {"DE_long.json": json.dumps(emilia_row("DE_B00000_S00000_W000030", duration=27.5)).encode(),
            "DE_long.mp3": sounds[names[0]]}  # fmt: skip
    packed(on_hub(mirror, "amphion/Emilia-Dataset", "Emilia-YODAS/DE/DE-B000007.tar"), members | long)
    for config in ("de", "yodas-de"):
        triptych.pull("emilia", store=tmp_path / "store", mirror=str(mirror), config=config)
    found = rows_of("emilia", tmp_path / "store")
    assert len(found) == 4
    assert reasons(tmp_path / "store") == {"DE_long": "other_length"}
    row = found["yodas-de/train/DE_B00000_S00000_W000029"]
    assert (row["text"], row["speaker"], row["language"], row["license"], row["start_s"], row["end_s"]) == (
        " Text DE_B00000_S00000_W000029.", "DE_B00000_S00000", "de", "CC-BY-4.0", None, None,
    )  # fmt: skip
    assert found["de/train/DE_B00000_S00000_W000029"]["license"] == "CC-BY-NC-4.0"
    assert extra(row)["dnsmos"] == "3.3697"
    rows = [emilia_row(name) for name in names]
    tree = {f"raw/DE/{row['wav']}": sounds[row["id"]] for row in rows}
    tree["raw/DE/DE_B00000.jsonl"] = json_lines(rows)
    own = pulled("emilia", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree), config="de", source="manual")
    assert columns(own, "text", "speaker", "language") == {
        f"de/train/{name}": (f" Text {name}.", name[:16], "de") for name in names
    }


# ---- Libriheavy


def cut(name: str, number: int, start: float, text: str) -> dict[str, Any]:
    """A cut as the README of Libriheavy has it."""
    supervision = {"id": f"{name}_{number}", "recording_id": name, "start": 0, "duration": 0.5, "channel": 0,
                   "language": "English", "speaker": "100",
                   "custom": {"texts": [text, "HEARD"], "pre_texts": ["Before.", "BEFORE"]}}  # fmt: skip
    source = {"type": "file", "channels": [0], "source": f"download/librilight/{name}.flac"}
    recording = {"id": name, "sources": [source], "sampling_rate": 16000, "num_samples": 48000, "duration": 3.0,
                 "channel_ids": [0]}  # fmt: skip
    return {"id": f"{name}_{number}", "start": start, "duration": 0.5, "channel": 0, "supervisions": [supervision],
            "recording": recording, "custom": {"text_path": "download/librilight_text/Sea Fairies/text.txt"},
            "type": "MonoCut"}  # fmt: skip


def test_libriheavy_takes_spans_out_of_recordings_of_libri_light(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    book, other = "small/100/sea_fairies_0812_librivox_64kb_mp3/01_baum", "large/7/book_64kb_mp3/02_x"
    hub = "https://huggingface.co/datasets/pkufool/libriheavy/resolve/main/libriheavy_cuts_{}.jsonl.gz"
    manifests = {
        "small": [cut(book, 0, 1.25, "“Why,” she asked, it’s café?"), cut(book, 1, 2.0, "Then, he said.")],
        "dev": [cut(other, 0, 0.0, "Held out.")],
    }
    for split, rows in manifests.items():
        on_host(mirror, hub.format(split)).write_bytes(gzip.compress(json_lines(rows)))
    recordings = {book: encoded(1, "flac", seconds=3.0), other: encoded(2, "flac", seconds=3.0)}
    for subset, name in (("small", book), ("large", other)):
        url = f"https://dl.fbaipublicfiles.com/librilight/data/{subset}.tar"
        packed(on_host(mirror, url), {f"{name}.flac": recordings[name], f"{subset}/9/unused/03.flac": b"fLaC"})
    for split in ("small", "dev"):
        triptych.pull("libriheavy", store=tmp_path / "store", mirror=summed(mirror), split=split)
    found = rows_of("libriheavy", tmp_path / "store")
    expected = {
        f"small/{book}_0": ("small", "“Why,” she asked, it’s café?", "100", 1.25, 1.75),
        f"small/{book}_1": ("small", "Then, he said.", "100", 2.0, 2.5),
        f"dev/{other}_0": ("dev", "Held out.", "100", 0.0, 0.5),
    }
    assert columns(found, "split", "text", "speaker", "start_s", "end_s") == expected
    assert extra(found[f"small/{book}_0"]) == {
        "asr_text": "HEARD", "before": "Before.", "book": "download/librilight_text/Sea Fairies/text.txt",
    }  # fmt: skip
    tree = {f"libriheavy_cuts_{split}.jsonl.gz": gzip.compress(json_lines(rows)) for split, rows in manifests.items()}
    tree |= {f"download/librilight/{name}.flac": data for name, data in recordings.items()}
    own = pulled("libriheavy", tmp_path / "own", from_path=unpacked(tmp_path / "tree", tree))
    assert columns(own, "split", "text", "speaker", "start_s", "end_s") == expected
