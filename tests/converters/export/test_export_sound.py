"""The sound of a video is heard once: as a medium of the row, or in the video, as the trainer's switch then says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from triptych.converters.export.result import ExportResult

SOUND_IN_VIDEO = {"USE_AUDIO_IN_VIDEO": "true", "SWIFT_AUDIO_LOAD_BACKEND": "soundfile_pyav"}
IN_VIDEO = " ".join(f"{name}={value}" for name, value in SOUND_IN_VIDEO.items())
SEE_AND_HEAR = "Describe what you see and hear."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos with sound inside, with sound apart and with none; a conversation about one; a sound alone."""
    folder = tmp_path_factory.mktemp("sounds")
    loud = str(imported.video(folder / "loud.mp4", with_sound=True))
    silent = str(imported.video(folder / "silent.mp4", seed=1))
    sound = str(imported.sound(folder / "a.flac", imported.noise(0.5)))
    given = [
        {"id": "inside", "video": loud, "modality": "mixed", "text": "x"},
        {"id": "apart", "video": silent, "audio": sound, "text": "x"},
        {"id": "silent", "video": silent, "modality": "video", "text": "x"},
        {"id": "sound", "audio": sound, "text": "x", "task": "captioning"},
        {
            "id": "talk",
            "video": loud,
            "modality": "mixed",
            "messages": [{"role": "user", "content": "<video>What is it?"}, {"role": "assistant", "content": "x"}],
        },
    ]
    return imported.bring_in(folder / "store", "s", given, folder)


def export(store: Path, **options: Any) -> ExportResult:
    return triptych.export("msswift", task="sft", store=store, **options)


def asked(result: ExportResult) -> dict[str, tuple[str, list[str]]]:
    """The user turn and the kinds of media of every row."""
    return {
        row["id"].rsplit("/", 1)[-1]: (row["messages"][0]["content"], [k for k in ("videos", "audios") if row.get(k)])
        for row in imported.read_lines(result.version.data)
    }


def test_a_video_and_its_sound_are_two_media_and_the_trainers_switch_is_off(store: Path) -> None:
    result = export(store)
    assert asked(result) == {
        "inside": (f"<video><audio>{SEE_AND_HEAR}", ["videos", "audios"]),
        "apart": (f"<video><audio>{SEE_AND_HEAR}", ["videos", "audios"]),
        "talk": ("<video><audio>What is it?", ["videos", "audios"]),
        "silent": ("<video>Describe the video.", ["videos"]),
        "sound": ("<audio>Describe the sound.", ["audios"]),
    }
    manifest = result.version.manifest
    assert manifest["options"]["av"] == "separate" and manifest["sound_of_videos"] == {"separate": 3}
    assert manifest["trainer_settings"] == {"USE_AUDIO_IN_VIDEO": "false"}
    assert (result.next_command or "").startswith("USE_AUDIO_IN_VIDEO=false swift sft --model Qwen/Qwen3-Omni")


def test_a_video_that_is_heard_itself_needs_the_switch_and_sound_in_every_video(store: Path) -> None:
    result = export(store, av="in-video")
    assert asked(result) == {
        "inside": (f"<video>{SEE_AND_HEAR}", ["videos"]),
        "talk": ("<video>What is it?", ["videos"]),
        "sound": ("<audio>Describe the sound.", ["audios"]),
    }
    assert result.counts == {"written": 3, "silent_video": 1, "sound_apart": 1}
    assert result.version.manifest["trainer_settings"] == SOUND_IN_VIDEO
    assert (result.next_command or "").startswith(f"{IN_VIDEO} swift sft ")


def test_videos_of_which_nobody_said_that_they_have_sound_need_the_switch_too(tmp_path: Path) -> None:
    """Rows without sound are refused because the switch is on, so it must be on."""
    loud = str(imported.video(tmp_path / "loud.mp4", with_sound=True))
    silent = str(imported.video(tmp_path / "silent.mp4", seed=1))
    given = [
        {"id": name, "video": path, "modality": "video", "text": "x"} for name, path in (("a", loud), ("b", silent))
    ]
    videos = imported.bring_in(tmp_path / "store", "v", given, tmp_path)
    result = export(videos, av="in-video")
    assert result.counts == {"written": 1, "silent_video": 1}
    assert result.version.manifest["trainer_settings"] == SOUND_IN_VIDEO
    assert export(videos, name="apart").version.manifest["trainer_settings"] == {}


def test_equal_rows_whose_sound_is_read_otherwise_are_a_version_of_their_own(tmp_path: Path) -> None:
    """The bytes are equal, but the settings that its trainer needs are in the manifest."""
    loud = str(imported.video(tmp_path / "loud.mp4", with_sound=True))
    given = [{"id": "a", "video": loud, "modality": "video", "text": "x"}]
    videos = imported.bring_in(tmp_path / "store", "v", given, tmp_path)
    apart, inside = export(videos), export(videos, av="in-video")
    assert (apart.version.label, apart.version.manifest["trainer_settings"]) == ("v1", {})
    assert (inside.version.label, inside.version.manifest["trainer_settings"]) == ("v2", SOUND_IN_VIDEO)
    assert (inside.next_command or "").startswith(f"{IN_VIDEO} swift sft ")
    assert export(videos).version.label == "v1"


def test_the_sound_alone_is_asked_for_as_a_sound(store: Path) -> None:
    result = export(store, av="sound-only")
    assert asked(result) == {
        "inside": ("<audio>Describe the sound.", ["audios"]),
        "apart": ("<audio>Describe the sound.", ["audios"]),
        "talk": ("<audio>What is it?", ["audios"]),
        "sound": ("<audio>Describe the sound.", ["audios"]),
    }
    assert result.counts == {"written": 4, "no_sound": 1}
    assert result.version.manifest["trainer_settings"] == {}
    assert (result.next_command or "").startswith("swift sft --model Qwen/Qwen2-Audio")


def test_files_are_converted_with_the_switch_that_their_rows_need(tmp_path: Path) -> None:
    row = {"id": "1", "video": "/v.mp4", "modality": "mixed", "text": "x"}
    apart = {"id": "2", "video": "/v.mp4", "audio": "/a.wav", "text": "x"}

    def convert(*rows: dict[str, Any], **options: Any) -> Any:
        path = imported.table(tmp_path / "in.jsonl", rows)
        return triptych.convert("unified", [path], tmp_path / "o.jsonl", task="sft", files=False, force=True, **options)

    assert convert(row).next_command.startswith(f"{IN_VIDEO} ")
    assert convert(apart).next_command.startswith("USE_AUDIO_IN_VIDEO=false ")
    both = convert(row, apart)
    assert both.written == 2 and both.next_command is None and any("USE_AUDIO_IN_VIDEO" in note for note in both.notes)
    alone = convert(row, apart, av="in-video")
    assert dict(alone.reasons) == {"sound_apart": 1} and not any("USE_AUDIO" in note for note in alone.notes)
    assert dict(convert(row, apart, av="sound-only").reasons) == {"no_sound": 1}


def test_a_video_alone_is_silent_for_the_trainer_too(store: Path) -> None:
    result = export(store, modality="video", name="seen")
    assert asked(result) == {
        "inside": ("<video>Describe the video.", ["videos"]),
        "apart": ("<video>Describe the video.", ["videos"]),
        "talk": ("<video>What is it?", ["videos"]),
        "silent": ("<video>Describe the video.", ["videos"]),
    }
    manifest = result.version.manifest
    assert manifest["counts"] == {"written": 4, "no_video": 1}
    assert manifest["sound_of_videos"] == {"silent": 3}
    assert manifest["trainer_settings"] == {"USE_AUDIO_IN_VIDEO": "false"}


def test_both_are_shown_of_samples_that_have_both(store: Path) -> None:
    result = export(store, modality="av", name="both")
    assert set(asked(result)) == {"inside", "apart", "talk"}
    assert result.version.manifest["counts"] == {"written": 3, "no_video": 1, "no_sound": 1}
