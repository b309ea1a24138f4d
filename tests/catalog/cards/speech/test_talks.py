"""The cards of talks, calls and meetings: segments of long recordings, of one microphone or of several."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.corpora import noise
from support.natives import encoded, on_host, on_hub, packed, parquet, unpacked
from support.pulls import columns, extra, pulled, reasons, rows_of, same


def sound(seed: int, kind: str = "wav") -> bytes:
    """A recording of three seconds."""
    return encoded(seed, kind, seconds=3.0)


# ---- TED-LIUM

TRAIN_STM = b"""AlGore_2009 1 AlGore_2009 0.00 0.50 <o,f0,male> ignore_time_segment_in_scoring
AlGore_2009 1 AlGore_2009 0.50 1.25 <o,f0,male> thank you so much <unk> they 're
AlGore_2009 1 AlGore_2009 1.25 2.90 <NA> <unk> it \xe2\x80\x99s caf\xc3\xa9 {NOISE}
AlGore_2009 1 AlGore_2009 9.25 12.90 <o,f0,male> of another recording
AlGore_2009 1 AlGore_2009 x 2.90 <o,f0,male> no time
"""
DEV_STM = b""";; CATEGORY "0" "" ""
BillGates_2010 1 inter_segment_gap 0 0.25 <o,,unknown> ignore_time_segment_in_scoring
BillGates_2010 1 BillGates_2010 0.25 1.5 <F0_M> i 'm going to talk
"""
TEST_STM = b"DanBarber_2010 1 DanBarber_2010 0.5 2.5 <unk> no label here\n"

TALKS = {
    "train/AlGore_2009-1": ("train", "thank you so much <unk> they 're", "AlGore_2009", 0.5, 1.25, "o,f0,male"),
    "train/AlGore_2009-2": ("train", "<unk> it ’s café {NOISE}", "AlGore_2009", 1.25, 2.9, None),
    "dev/BillGates_2010-1": ("dev", "i 'm going to talk", "BillGates_2010", 0.25, 1.5, "F0_M"),
    "test/DanBarber_2010-0": ("test", "<unk> no label here", "DanBarber_2010", 0.5, 2.5, None),
}


@pytest.fixture(scope="module")
def tedlium() -> dict[str, bytes]:
    """The files of the release, but for its links."""
    return {
        "TEDLIUM_release-3/data/stm/AlGore_2009.stm": TRAIN_STM,
        "TEDLIUM_release-3/data/sph/AlGore_2009.sph": sound(1, "sphere"),
        "TEDLIUM_release-3/legacy/dev/stm/BillGates_2010.stm": DEV_STM,
        "TEDLIUM_release-3/legacy/dev/sph/BillGates_2010.sph": sound(2, "sphere"),
        "TEDLIUM_release-3/legacy/test/sph/DanBarber_2010.sph": sound(3, "sphere"),
        "TEDLIUM_release-3/legacy/test/stm/DanBarber_2010.stm": TEST_STM,
    }


def talks(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {
        identity: (*row, extra(rows[identity]).get("label"))
        for identity, row in columns(rows, "split", "text", "speaker", "start_s", "end_s").items()
    }


def test_tedlium_reads_segments_and_not_the_links_of_its_archive(tmp_path: Path, tedlium: dict[str, bytes]) -> None:
    mirror, store = tmp_path / "mirror", tmp_path / "store"
    archive = packed(on_host(mirror, "https://www.openslr.org/resources/51/TEDLIUM_release-3.tgz"), tedlium)
    with tarfile.open(archive, "w:gz") as out:
        for name, data in tedlium.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
        for kind in ("stm", "sph"):
            link = tarfile.TarInfo(f"TEDLIUM_release-3/legacy/train/{kind}/AlGore_2009.{kind}")
            link.type, link.linkname = tarfile.SYMTYPE, f"../../../data/{kind}/AlGore_2009.{kind}"
            out.addfile(link)
    found = pulled("tedlium", store, mirror=str(mirror))
    assert talks(found) == TALKS
    assert reasons(store) == {
        "AlGore_2009-0": "not_scored", "BillGates_2010-0": "not_scored", "AlGore_2009-3": "span_outside_media",
        "AlGore_2009.stm:5": "bad_row", "AlGore_2009.stm": "link", "AlGore_2009.sph": "link",
    }  # fmt: skip


def test_tedlium_unpacked_with_its_links(tmp_path: Path, tedlium: dict[str, bytes]) -> None:
    tree = unpacked(tmp_path / "tree", tedlium)
    legacy = tree / "TEDLIUM_release-3/legacy/train"
    legacy.mkdir(parents=True)
    for kind in ("stm", "sph"):
        (legacy / kind).symlink_to(f"../../data/{kind}", target_is_directory=True)
    assert talks(pulled("tedlium", tmp_path / "store", from_path=tree)) == TALKS
    only = pulled("tedlium", tmp_path / "dev", from_path=tree, split="dev")
    assert set(only) == {"dev/BillGates_2010-1"}
    assert reasons(tmp_path / "dev") == {"BillGates_2010-0": "not_scored"}


# ---- Earnings-22

NLP = """token|speaker|ts|endTs|punctuation|case|tags|wer_tags
Good|0||||UC|[]|[]
"morning|0|||,|LC|['5:TIME']|['5']
<crosstalk>|1||||LC|[]|[]
NexGEn's|1|||.|MC|['7:ORG']|['7']
"""


def test_earnings22_puts_the_tokens_of_a_call_together(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "tree", {
        "earnings22/media/4468679.mp3": sound(1, "mp3"),
        "earnings22/media/call-2.mp3": sound(2, "mp3"),
        "earnings22/transcripts/nlp_references/4468679.nlp": NLP.encode(),
        "earnings22/transcripts/nlp_references/call-2.nlp": NLP.encode() + b"\xff|0||||LC|[]|[]\n",
        "earnings22/metadata.csv": b"File ID,Ticker Symbol,Country by Ticker\n4468679,PAM,Argentina\n",
    })  # fmt: skip
    found = pulled("earnings22", tmp_path / "store", from_path=tree, source="manual")
    assert columns(found, "text", "split", "start_s") == {
        "full/test/4468679": ("Good \"morning, <crosstalk> NexGEn's.", "test", None)
    }
    assert {name: extra(found["full/test/4468679"])[name] for name in ("speaker", "Country by Ticker")} == {
        "speaker": '["0", "0", "1", "1"]', "Country by Ticker": "Argentina",
    }  # fmt: skip
    assert reasons(tmp_path / "store")["call-2.nlp"] == "bad_row"
    mirror = tmp_path / "mirror"
    clip = {"bytes": sound(3), "path": "a.wav"}
    piece = {"file_id": "4468679", "segment_id": 7, "transcription": "Good morning.", "start_ts": 4.5, "end_ts": 7.5}
    parquet(on_hub(mirror, "distil-whisper/earnings22", "chunked/test-00000-of-00038-6f4f.parquet"),
            [{**piece, "audio": clip}])  # fmt: skip
    parquet(on_hub(mirror, "distil-whisper/earnings22", "full/test-00000-of-00004-e907.parquet"),
            [{"file_id": "4468679", "transcription": "All of it.", "audio": clip}])  # fmt: skip
    for config in ("chunked", "full"):
        triptych.pull("earnings22", store=tmp_path / "hub", mirror=str(mirror), config=config)
    assert columns(rows_of("earnings22", tmp_path / "hub"), "text", "start_s") == {
        "chunked/test/4468679_7": ("Good morning.", None),
        "full/test/4468679": ("All of it.", None),
    }


# ---- AMI

SEGMENTS = """AMI_EN2001a_H00_MEE068_0000057_0000094 AMI_EN2001a_H00 0.57 0.94
AMI_EN2001a_H03_FEO065_0000100_0000250 AMI_EN2001a_H03 1.00 2.50
AMI_IB4001_H01_FIO074_0000100_0000150 AMI_IB4001_H01 1.00 1.50
"""
TEXT = """AMI_EN2001a_H00_MEE068_0000057_0000094 OKAY
AMI_EN2001a_H03_FEO065_0000100_0000250 IT'S YOUR TURN
AMI_IB4001_H01_FIO074_0000100_0000150
"""


def test_ami_takes_the_microphone_of_each_configuration(tmp_path: Path) -> None:
    sounds = {name: sound(n) for n, name in enumerate(
        ["EN2001a.Headset-0", "EN2001a.Headset-3", "EN2001a.Array1-01", "EN2001a.Array1-02", "IB4001.Headset-1"]
    )}  # fmt: skip
    tree = unpacked(tmp_path / "tree", {
        "annotations/eval/segments": SEGMENTS.encode(),
        "annotations/eval/text": TEXT.encode(),
        **{f"{name.partition('.')[0]}/audio/{name}.wav": data for name, data in sounds.items()},
    })  # fmt: skip
    for config in ("ihm", "sdm"):
        triptych.pull("ami", store=tmp_path / "store", from_path=tree, source="manual", config=config)
    found = rows_of("ami", tmp_path / "store")
    first, second = "AMI_EN2001a_H00_MEE068_0000057_0000094", "AMI_EN2001a_H03_FEO065_0000100_0000250"
    assert columns(found, "text", "speaker", "start_s", "end_s") == {
        f"{config}/test/{name}": row
        for config in ("ihm", "sdm")
        for name, row in ((first, ("OKAY", "MEE068", 0.57, 0.94)), (second, ("IT'S YOUR TURN", "FEO065", 1.0, 2.5)))
    }
    heard = {identity: row["audio"]["sha256"] for identity, row in found.items()}
    assert heard[f"sdm/test/{first}"] == heard[f"sdm/test/{second}"]
    assert len({heard[f"ihm/test/{first}"], heard[f"ihm/test/{second}"], heard[f"sdm/test/{first}"]}) == 3
    assert "no_text" in reasons(tmp_path / "store").values()


def test_ami_of_the_hub_in_both_of_its_forms(tmp_path: Path) -> None:
    mirror, older = tmp_path / "mirror", tmp_path / "older"
    row = {"meeting_id": "EN2001a", "audio_id": "AMI_EN2001a_SDM_MEE068_0000557_0000594", "text": "OKAY",
           "audio": {"bytes": sound(1), "path": "a.wav"}, "begin_time": 5.57, "end_time": 5.94,
           "microphone_id": "SDM", "speaker_id": "MEE068"}  # fmt: skip
    parquet(on_hub(mirror, "edinburghcstr/ami", "sdm/validation-00000-of-00003.parquet"), [row])
    parquet(on_hub(mirror, "edinburghcstr/ami", "sdm/train-00000-of-00027.parquet"), [{**row, "audio_id": "x"}])
    found = pulled("ami", tmp_path / "store", mirror=str(mirror), config="sdm", split="validation")
    assert columns(found, "text", "speaker", "start_s") == {
        f"sdm/validation/{row['audio_id']}": ("OKAY", "MEE068", None)
    }

    on_hub(older, "edinburghcstr/ami", "annotations/dev/text").write_bytes(TEXT.encode())
    names = [line.split()[0].lower() for line in TEXT.splitlines()]
    for meeting in ("en2001a", "ib4001"):
        members = {f"{meeting}/dev_{name}.wav": sound(n) for n, name in enumerate(names) if meeting in name}
        packed(on_hub(older, "edinburghcstr/ami", f"audio/ihm/dev/{meeting}.tar.gz"), members)
    found = pulled("ami", tmp_path / "own", mirror=str(older), config="ihm", split="validation")
    assert columns(found, "text", "speaker") == {
        "ihm/validation/AMI_EN2001a_H00_MEE068_0000057_0000094": ("OKAY", "MEE068"),
        "ihm/validation/AMI_EN2001a_H03_FEO065_0000100_0000250": ("IT'S YOUR TURN", "FEO065"),
    }


# ---- MInDS-14


def test_minds14_has_intents_as_names(tmp_path: Path) -> None:
    import datasets

    names = ["abroad", "address", "app_error"]
    sound = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    features = datasets.Features({
        "path": datasets.Value("string"), "audio": sound,
        "transcription": datasets.Value("string"), "english_transcription": datasets.Value("string"),
        "intent_class": datasets.ClassLabel(names=names), "lang_id": datasets.ClassLabel(names=["de-DE", "ko-KR"]),
    })  # fmt: skip
    for number, locale in enumerate(("de-DE", "ko-KR")):
        row = {"path": f"{locale}~ADDRESS/602b{number}.wav", "audio": {"bytes": noise(number), "path": "x.wav"},
               "transcription": "guten Tag", "english_transcription": "good day", "intent_class": 1 + number,
               "lang_id": number}  # fmt: skip
        revision = "40ce77cb32a384e4d50a568e1ec39ac804019d33"
        path = f"{locale}/train-00000-of-00001.parquet"
        where = on_hub(tmp_path / "mirror", "PolyAI/minds14", path, revision=revision)
        datasets.Dataset.from_list([row], features=features).to_parquet(where)
    options = {"config": ["de-DE", "ko-KR"]}
    rows = pulled("minds14", tmp_path / "store", mirror=str(tmp_path / "mirror"), **options)
    assert columns(rows, "text", "translation", "language", "target_language", "labels") == {
        "de-DE/train/602b0": ("guten Tag", "good day", "de-DE", "en", ["address"]),
        "ko-KR/train/602b1": ("guten Tag", "good day", "ko-KR", "en", ["app_error"]),
    }
    repository = next((tmp_path / "mirror").rglob("de-DE"))
    assert same({"de-DE/train/602b0": rows["de-DE/train/602b0"]},
                pulled("minds14", tmp_path / "other", from_path=repository, config="de-DE"))  # fmt: skip
