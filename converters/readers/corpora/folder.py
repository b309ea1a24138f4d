"""Reader for a plain folder: every audio, video and image file is a sample; `<stem>.txt` next to it is its text.

Files in one folder with the same stem but different extensions keep their extension in the id. Other files are counted
and reported, so that nothing is skipped silently.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import PurePosixPath

from ....errors import DamagedError
from ...candidate import Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection

AUDIO = frozenset(
    [
        "wav",
        "flac",
        "mp3",
        "ogg",
        "oga",
        "opus",
        "m4a",
        "m4b",
        "aac",
        "aif",
        "aiff",
        "aifc",
        "au",
        "snd",
        "caf",
        "wma",
        "w64",
        "rf64",
        "amr",
        "ac3",
        "ape",
        "wv",
        "tta",
        "mka",
        "sph",
        "nist",
        "voc",
    ]
)
VIDEO = frozenset(
    ["mp4", "m4v", "mov", "mkv", "webm", "avi", "flv", "wmv", "mpg", "mpeg", "ts", "3gp", "3g2", "ogv", "asf"]
)
IMAGE = frozenset(["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"])
MEDIA_EXTENSIONS = AUDIO | VIDEO | IMAGE


class FolderReader(Reader):
    """A plain folder; see the module docstring."""

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in path order."""
        media: list[RawFile] = []
        texts: dict[str, RawFile] = {}
        ignored: Counter[str] = Counter()
        for file in files:
            if isinstance(file, Rejection):
                yield file
            elif (extension := _extension(file.name)) in MEDIA_EXTENSIONS:
                media.append(file)
            elif extension == "txt":
                texts[_stem(file.name)] = file
            else:
                ignored[extension or "(no extension)"] += 1
        yield from _candidates(media, texts)
        _note(context, ignored, sum(stem not in {_stem(file.name) for file in media} for stem in texts))


def _candidates(media: list[RawFile], texts: dict[str, RawFile]) -> CandidateStream:
    by_stem: defaultdict[str, int] = defaultdict(int)
    for file in media:
        by_stem[_stem(file.name)] += 1
    for file in media:
        stem = _stem(file.name)
        fields: dict[str, object] = {}
        if stem in texts:
            try:
                fields["text"] = texts[stem].read().decode("utf-8-sig").strip() or None
            except DamagedError as error:
                yield Rejection(file.name, "too_large", error.message, texts[stem].uri)
                continue
            except UnicodeDecodeError as error:
                yield Rejection(file.name, "not_utf8", f"{texts[stem].uri}: byte {error.start}", texts[stem].uri)
                continue
        identity = stem if by_stem[stem] == 1 else file.name
        yield Candidate(
            identity, file.split, fields, [("media", file.blob())], file.config, file.uri, file.revision, file.uri
        )


def _note(context: ReadContext, ignored: Counter[str], lone_texts: int) -> None:
    if ignored:
        context.note("not media: " + ", ".join(f"{n} .{extension}" for extension, n in sorted(ignored.items())))
    if lone_texts:
        context.note(f"{lone_texts} .txt without a media file of the same stem")


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix.lower().removeprefix(".")


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
