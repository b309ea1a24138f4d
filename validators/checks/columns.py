"""The columns of the `checks` table: names and types, without importing Arrow, for processes that only measure."""

from __future__ import annotations

COLUMNS: dict[str, str] = {
    "missing_media": "list<string>",
    "clip_s": "float64",
    "audio_from": "string",
    "audio_error": "string",
    "audio_codec": "string",
    "audio_sample_rate": "int32",
    "audio_channels": "int32",
    "audio_declared_duration": "float64",
    "audio_decoded_frames": "int64",
    "audio_decoded_duration": "float64",
    "audio_undeclared_s": "float64",
    "audio_soundfile_s": "float64",
    "audio_cut_short": "bool",
    "peak_dbfs": "float64",
    "rms_dbfs": "float64",
    "mono_gain_db": "float64",
    "dc_offset": "float64",
    "clipped_share": "float64",
    "non_finite": "int64",
    "silence_ratio": "float64",
    "leading_silence_s": "float64",
    "trailing_silence_s": "float64",
    "video_error": "string",
    "video_codec": "string",
    "video_declared_duration": "float64",
    "container_declared_duration": "float64",
    "video_decoded_frames": "int64",
    "video_corrupt_frames": "int64",
    "video_decoded_duration": "float64",
    "video_fps": "float64",
    "video_width": "int32",
    "video_height": "int32",
    "video_has_audio": "bool",
    "video_audio_error": "string",
    "image_error": "string",
    "image_width": "int32",
    "image_height": "int32",
    "more_media_error": "string",
    "empty_text": "bool",
    "characters": "int64",
    "word_count": "int64",
    "characters_per_second": "float64",
    "control_characters": "int64",
    "replacement_characters": "int64",
}
"""The measurements and their Arrow types, in the order of the table.

`clip_s` is the length of the sample: its span as far as the media reaches, else the decoded audio, else the decoded
video. `audio_from` is the file
that contains the measured audio: the `audio` file, or the `video` file of a sample without one.
"""

NAMES = ("id", "dataset", "revision", "measured_at", *COLUMNS)

INPUT_COLUMNS = (
    "id", "dataset", "modality", "text", "language", "start_s", "end_s", "channel", "audio", "video", "image",
    "more_media",
)  # fmt: skip
"""The sample columns that `measure` reads."""
