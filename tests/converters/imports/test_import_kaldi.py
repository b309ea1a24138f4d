"""Importing Kaldi data directories: what Kaldi would train on, and every line that it would not, with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import check_accounts, cli, select
from triptych.converters.imports.import_data import ImportResult
from triptych.errors import UsageError

Tone = Callable[..., bytes]


@pytest.fixture
def data(tmp_path: Path, tone: Tone) -> Path:
    """`data/train` with two recordings of 2 and 1 seconds, `wav/a.wav` and `wav/b.wav`, and nothing else."""
    folder = tmp_path / "data" / "train"
    (folder / "wav").mkdir(parents=True)
    (folder / "wav/a.wav").write_bytes(tone(300, seconds=2.0, format="WAV"))
    (folder / "wav/b.wav").write_bytes(tone(400, seconds=1.0, format="WAV"))
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / {"wav": "wav.scp"}.get(name, name)).write_text(text, encoding="utf-8")


def load(folder: Path, **options: Any) -> ImportResult:
    store = folder.parents[1] / "store"
    done = triptych.import_data("kaldi", folder, name="mine", store=store, **options)
    check_accounts(store)
    return done


def rows(folder: Path, columns: str) -> list[dict[str, Any]]:
    return select(folder.parents[1] / "store", f"select {columns} from samples order by id")


def reasons(folder: Path) -> dict[str, str]:
    events = select(folder.parents[1] / "store", "select candidate, reason from events")
    return {row["candidate"]: row["reason"] for row in events}


def test_without_segments_a_recording_is_an_utterance(data: Path) -> None:
    write(data, wav="u1 wav/a.wav\nu2   wav/b.wav\n", text="u1 HELLO  WORLD\nu2 好\n", utt2spk="u1 s1\nu2 s2\n",
          spk2gender="s1 f\ns2 m\n", utt2lang="u1 en\nu2 zh\n", utt2dur="u1 2.0\nu2 1.0\n")  # fmt: skip
    assert load(data, values={"split": "train"}).account.kept == 2
    assert rows(data, "id, text, speaker, language, start_s, end_s, extra") == [
        {"id": "mine/train/u1", "text": "HELLO  WORLD", "speaker": "s1", "language": "en", "start_s": None,
         "end_s": None, "extra": {"duration": "2.0", "gender": "f"}},
        {"id": "mine/train/u2", "text": "好", "speaker": "s2", "language": "zh", "start_s": None, "end_s": None,
         "extra": {"duration": "1.0", "gender": "m"}},
    ]  # fmt: skip


def test_segments_are_spans_and_a_whole_recording_is_none(data: Path) -> None:
    write(data, wav="a wav/a.wav\nb wav/b.wav\nunused wav/b.wav\n",
          segments="a-1 a 0 0.5\na-2 a 0.5 2\na-3 a 1.5 -1\nb-1 b 0.00 1.000\n",
          text="a-1 one\na-2 two\na-3 three\nb-1 four\n", reco2file_and_channel="a a A\nb b B\n")  # fmt: skip
    done = load(data)
    assert rows(data, "id, start_s, end_s, extra['recording_id'] rec, extra['channel'] channel") == [
        {"id": "mine/all/a-1", "start_s": 0.0, "end_s": 0.5, "rec": "a", "channel": "A"},
        {"id": "mine/all/a-2", "start_s": 0.5, "end_s": 2.0, "rec": "a", "channel": "A"},
        {"id": "mine/all/a-3", "start_s": 1.5, "end_s": None, "rec": "a", "channel": "A"},
        {"id": "mine/all/b-1", "start_s": None, "end_s": None, "rec": "b", "channel": "B"},
    ]
    assert done.notes == ["1 recordings in wav.scp have no segment"]


def test_utterances_without_a_line_of_text_go_unless_there_is_no_text_at_all(data: Path) -> None:
    write(data, wav="u1 wav/a.wav\nu2 wav/b.wav\n")
    assert load(data).account.kept == 2
    assert rows(data, "text") == [{"text": None}] * 2
    write(data, text="u1 said\n")
    done = load(data, on_conflict="update")
    assert (done.account.kept, done.account.rejected) == (1, {"no_transcript": 1})


def test_lines_that_match_nothing_or_are_no_lines_are_counted_once_an_id(data: Path) -> None:
    write(data, wav="a wav/a.wav\na wav/b.wav\n", segments="a-1 a 0 0.5\nx-1 x 0 1\na-2 a 1\na-3 a 1 0.5\na-4 a 9 10\n",
          text="a-1 one\nghost boo\nx-1 x\na-2 y\na-3 z\na-4 far\n", utt2spk="a-1 s\nghost s\nother s\n")  # fmt: skip
    with (data / "text").open("ab") as file:
        file.write(b"bad caf\xe9\n")
    done = load(data)
    assert done.account.candidates == 9
    assert reasons(data) == {
        "wav.scp:2": "duplicate_id", "text:7": "not_utf8", "x-1": "no_media", "a-2": "bad_row", "a-3": "bad_value",
        "ghost": "no_media", "other": "no_media", "mine/all/a-4": "span_outside_media",
    }  # fmt: skip
    assert [row["id"] for row in rows(data, "id")] == ["mine/all/a-1"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("cat wav/a.wav |", "executable_entry"),
        ("touch touched; sox wav/a.wav -t wav - |", "executable_entry"),
        ("| tee touched", "executable_entry"),
        ("https://example.org/a.wav", "remote_media"),
        ("raw.ark:1234", "unsupported_source"),
        ("-", "unsupported_source"),
        ("wav/none.wav", "missing_media"),
        ("", "no_media"),
    ],
)
def test_a_recording_that_is_no_plain_file_is_rejected_and_nothing_is_run(data: Path, place: str, reason: str) -> None:
    write(data, wav=f"u1 {place}\nu2 wav/b.wav\n")
    done = load(data)
    assert (done.account.kept, done.account.rejected) == (1, {reason: 1})
    assert not (data / "touched").exists()
    assert not Path("touched").exists()


def test_media_lies_under_media_dir_and_can_be_linked(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "lists"
    other.mkdir()
    write(other, wav="u1 wav/a.wav\n")
    triptych.import_data("kaldi", other, name="mine", store=data.parents[1] / "store", media_dir=data, link=True)
    assert rows(data, "audio.path p") == [{"p": str(data / "wav/a.wav")}]


def test_a_folder_that_is_no_data_directory_names_one_that_is(data: Path) -> None:
    write(data, wav="u1 wav/a.wav\n")
    with pytest.raises(UsageError) as caught:
        triptych.import_data("kaldi", data.parent, name="mine", store=data.parents[1] / "store")
    assert "no wav.scp" in caught.value.message
    assert f"triptych import kaldi {data}" in (caught.value.hint or "")


def test_the_command_counts_and_exits_1_where_lines_were_rejected(data: Path) -> None:
    write(data, wav="u1 cat a.wav |\nu2 wav/b.wav\n")
    done = cli("import", "kaldi", data, "--name", "mine", "--store", data.parents[1] / "store")
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "mine: 1 stored of 2 rows: 1 executable_entry")


@pytest.mark.shared
def test_a_real_directory_of_commands_is_rejected_whole(shared: Path, tmp_path: Path) -> None:
    folder = shared / "media/lhotse/test/fixtures/mini_librispeech"
    lines = len((folder / "segments").read_text().splitlines())
    done = triptych.import_data("kaldi", folder, name="mini", store=tmp_path / "store")
    assert done.account.rejected == {"executable_entry": lines}


def test_the_lengths_that_a_directory_states_are_compared_with_the_media(data: Path) -> None:
    write(data, wav="a wav/a.wav\nb wav/b.wav\n", segments="a1 a 0 12.5\na2 a 0 1\nb1 b 0 1.01\n",
          text="a1 x\na2 y\nb1 z\n", reco2dur="a 12.5\nb 1.01\n", utt2dur="a2 8\nb1 1.0\n")  # fmt: skip
    load(data)
    assert reasons(data) == {"mine/all/a1": "span_outside_media"}
    assert [tuple(row.values()) for row in rows(data, "text, end_s, extra['duration'] d")] == [
        ("y", 1.0, "8"), ("z", None, "1.0"),
    ]  # fmt: skip


def test_what_says_something_of_the_utterances_and_is_not_read_is_told(data: Path) -> None:
    write(data, wav="a wav/a.wav\n", text="a x\n", spk2utt="s a\n", text_spk2="a y\n", **{"spk1.scp": "a z\n"})
    (data / "utt2spk").mkdir()
    assert load(data).notes == ["not read: spk1.scp, text_spk2, utt2spk"]
