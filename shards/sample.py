"""The sample: one row of the Arrow schema that the whole package shares.

Every reader produces it, every check measures it, every view reads it. Times are seconds, rates Hz, sizes bytes.
No column name is a reserved SQL word. The columns are described in docs/reference/store.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import pyarrow as pa

from ..errors import UsageError

AUDIO = pa.struct(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("codec", pa.string()),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("frames", pa.int64()),
        ("duration", pa.float64()),
    ]
)
VIDEO = pa.struct(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("codec", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("fps", pa.float64()),
        ("frames", pa.int64()),
        ("duration", pa.float64()),
        ("has_audio", pa.bool_()),
    ]
)
IMAGE = pa.struct(
    [
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)
MORE_MEDIA = pa.list_(
    pa.struct([("kind", pa.string()), ("path", pa.string()), ("sha256", pa.string()), ("duration", pa.float64())])
)
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
ALIGNMENT = pa.list_(pa.struct([("text", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())]))

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("dataset", pa.string()),
        ("config", pa.string()),
        ("split", pa.string()),
        ("panel", pa.string()),
        ("modality", pa.string()),
        ("task", pa.string()),
        ("text", pa.string()),
        ("translation", pa.string()),
        ("language", pa.string()),
        ("target_language", pa.string()),
        ("speaker", pa.string()),
        ("audio", AUDIO),
        ("video", VIDEO),
        ("image", IMAGE),
        ("more_media", MORE_MEDIA),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("channel", pa.int32()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("reasoning", pa.string()),
        ("choices", pa.list_(pa.string())),
        ("captions", pa.list_(pa.string())),
        ("labels", pa.list_(pa.string())),
        ("messages", MESSAGES),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("words", ALIGNMENT),
        ("phones", ALIGNMENT),
        ("extra", pa.map_(pa.string(), pa.string())),
        ("license", pa.string()),
        ("source", pa.string()),
        ("revision", pa.string()),
        ("pulled_at", pa.timestamp("us", tz="UTC")),
    ]
)

COLUMNS: tuple[str, ...] = tuple(SCHEMA.names)
MEDIA_KINDS = ("audio", "video", "image")
PANELS = ("S1", "S2", "S3")
MODALITIES = ("audio", "video", "mixed", "text")
PANEL_OF_MODALITY: Mapping[str, str] = {"audio": "S1", "video": "S2", "mixed": "S3"}

_SOUND = frozenset({"audio", "video"})
_ANY = frozenset(MEDIA_KINDS)
MEDIA_OF_TASK: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("asr", "s2tt", "aac", "ser", "vsc", "term_retrieval"), _SOUND),
    **dict.fromkeys(("captioning", "tagging"), _ANY),
}
"""Tasks that are about media -> the kinds of which a sample has at least one."""
SPOKEN_TASKS = ("asr", "s2tt", "tts", "phoneme", "ser", "speaker", "diarization", "lid", "kws", "term_retrieval")
"""Tasks whose `text` is what is said; that of others is a caption, a label or part of a conversation."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(name: str, *, what: str) -> str:
    """Return `name` if it is a valid name of a dataset, split, config or export; raise UsageError otherwise."""
    if NAME.fullmatch(name) and ".." not in name:
        return name
    suggestion = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64] or "my-data"
    raise UsageError(
        f"{what} {name!r} is not a valid name: use lower-case letters, digits, '.', '_', '-', at most 64 characters.",
        hint=f"try {suggestion!r}",
    )


def lacks_media(task: str | None, kinds: Collection[str]) -> bool:
    """Whether a sample of this task has no medium of the kinds that the task is about."""
    needed = MEDIA_OF_TASK.get(task or "")
    return needed is not None and not any(kind in needed or kind not in MEDIA_KINDS for kind in kinds)


def without_media(task: str | None) -> str:
    """What to say of a sample that lacks the media of its task."""
    return f"no {' or '.join(sorted(MEDIA_OF_TASK[task or '']))}, which the task {task!r} is about"


def sample_id(dataset: str, config: str | None, split: str | None, source_id: str) -> str:
    """Return `<dataset>/[<config>/]<split>/<source id>`; a corpus without splits uses `all`."""
    return "/".join(part for part in (dataset, config, split or "all", source_id) if part)
