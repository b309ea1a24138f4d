"""One source of a card: where the raw files come from, their checksums, and their reader."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from ...converters.readers import has_reader, reader_names
from ...shards.sample import NAME
from ...shards.vocabulary import as_language, as_task
from .files import all_files, check_files, named_configs, named_splits

SOURCE_KINDS = ("hub", "archive", "urls", "youtube", "manual", "synthetic")
"""`--from` reads a folder, which needs no source on a card."""

REMOTE_KINDS = ("urls", "youtube")
"""Sources whose files are only tables: the media is fetched clip by clip."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_CONFIG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError("use lower-case letters, digits, '.', '_' and '-', at most 64 characters")
    return value


def _language(value: str) -> str:
    return as_language(value)


def _config(value: str) -> str:
    if not _CONFIG.fullmatch(value):
        raise ValueError("use letters, digits, '.', '_' and '-', at most 64 characters")
    return value


Name = Annotated[str, AfterValidator(_name)]
Language = Annotated[str, AfterValidator(_language)]
Task = Annotated[str, AfterValidator(as_task)]
ConfigName = Annotated[str, AfterValidator(_config)]


class CardModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Gate(CardModel):
    """The terms that must be accepted before the data is available, and where to accept them.

    `token` names the environment variable of the access key, if the corpus has its own.
    """

    accept: str
    where: str
    token: str | None = None


class SourceCard(CardModel):
    """One place to get the data from; exactly one of the kinds must be set.

    Attributes:
        hub: A dataset repository; `files` names its files (see `catalog/schema/files.py`), `revision` pins them.
        archive: URLs of archives and of the tables that belong to them.
        urls, youtube: URLs of tables whose rows name media: direct links, or videos with a start and an end.
        manual: A description of what the user has to download; `--from` reads it.
        synthetic: A generator.
        revision: A commit; `main` is resolved to a commit at the first pull, and that commit is kept.
        sha256, md5: One checksum, or checksums by split or by file name.
        nested: Patterns of members that are archives themselves.
        gate: The gate of this source alone; `open` if the card's gate does not apply.
        shards: Files of one name, `text/00000.json` and `audio/00000.tar.gz`, are read together, shard by shard.
        release: Pattern of the name of a release's top folder: where `--from` is that folder or one inside it, its name
            counts as part of every path.
        password: The environment variable that holds the password of its archives.
        reader: A reader's name, or a mapping of one name to that reader's options.
        note: For people: who provides this copy, and what is missing from it.
    """

    hub: str | None = None
    archive: Any = None
    urls: Any = None
    youtube: Any = None
    manual: str | None = None
    synthetic: Literal["speech", "digits", "video", "av"] | None = None
    revision: str | None = None
    files: Any = None
    sha256: str | dict[str, str] | None = None
    md5: str | dict[str, str] | None = None
    nested: list[str] = Field(default_factory=list)
    gate: Gate | Literal["open"] | None = None
    shards: bool = False
    release: str | None = None
    password: str | None = None
    seed: int = 0
    count: int | None = Field(default=None, ge=0)
    languages: list[Language] = Field(default_factory=list)
    reader: str | dict[str, dict[str, Any]]
    note: str | None = None

    @field_validator("files", "archive", "urls", "youtube")
    @classmethod
    def _check_files(cls, value: Any) -> Any:
        return None if value is None else check_files(value)

    @field_validator("password")
    @classmethod
    def _check_password(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError("give the name of an environment variable; a card must not contain a password")
        return value

    @field_validator("sha256", "md5")
    @classmethod
    def _check_sums(cls, value: Any, info: Any) -> Any:
        pattern = _SHA256 if info.field_name == "sha256" else _MD5
        for item in value.values() if isinstance(value, dict) else [value]:
            if item is not None and not pattern.fullmatch(item):
                raise ValueError(f"{item!r} is not a {info.field_name} checksum in lower-case hexadecimal")
        return value

    @model_validator(mode="after")
    def _check(self) -> SourceCard:
        kinds = [kind for kind in SOURCE_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"set exactly one of {', '.join(SOURCE_KINDS)}")
        if isinstance(self.reader, dict) and len(self.reader) != 1:
            raise ValueError("reader takes one name")
        if not has_reader(self.reader_name):
            raise ValueError(f"there is no reader {self.reader_name!r}; readers: {', '.join(reader_names())}")
        if self.hub is not None and not (self.files and self.revision):
            raise ValueError("a hub source needs `revision` and `files`")
        if self.hub is None and self.files is not None:
            raise ValueError(f"`files` is for hub sources; put the files under `{self.kind}`")
        if self.is_remote and not self._remote:
            raise ValueError(f"a `{self.kind}` source needs the reader option `remote`, which locates each row's clip")
        if self.hub is None:
            self._check_urls()
        return self

    def _check_urls(self) -> None:
        for file in all_files(self.named_files) if self.named_files is not None else ():
            for path in file.paths:
                if not re.match(r"https?://" if self.sha256 or self.md5 else r"https://", path):
                    raise ValueError(
                        f"{path!r}: files of `{self.kind}` need https:// URLs (http:// only with a checksum)"
                    )

    @property
    def kind(self) -> str:
        return next(kind for kind in SOURCE_KINDS if getattr(self, kind) is not None)

    @property
    def named_files(self) -> Any:
        """The files as written on the card; None if this kind of source has none."""
        return self.files if self.hub is not None else self.archive or self.urls or self.youtube

    @property
    def place(self) -> str:
        """The repository, the first URL, the generator, or the manual download."""
        if self.hub is not None or self.manual is not None or self.synthetic is not None:
            return str(self.hub or self.manual or self.synthetic)
        return next(all_files(self.named_files)).paths[0]

    @property
    def is_remote(self) -> bool:
        """Whether its files are only tables, and the media is fetched clip by clip."""
        return self.kind in REMOTE_KINDS

    @property
    def clip_site(self) -> str:
        """Where its clips are hosted: `link` or `youtube`; empty if its files are the media themselves."""
        return str(self._remote.get("site", "link")) if self.is_remote else ""

    @property
    def clip_hosts(self) -> frozenset[str]:
        """The host of its clips, if the card names it and not a table."""
        host = urlsplit(str(self._remote.get("url", ""))).hostname or ""
        return frozenset({host}) if self.is_remote and host and "{" not in host else frozenset()

    @property
    def _remote(self) -> dict[str, Any]:
        found = self.reader_options.get("remote")
        return found if isinstance(found, dict) else {}

    @property
    def splits(self) -> set[str] | None:
        """The splits that it names; None for all of the card's."""
        return None if self.named_files is None else named_splits(self.named_files)

    @property
    def configs(self) -> set[str] | None:
        """The configurations that it names; None if it names none."""
        return None if self.named_files is None else named_configs(self.named_files)

    @property
    def reader_name(self) -> str:
        return self.reader if isinstance(self.reader, str) else next(iter(self.reader))

    @property
    def reader_options(self) -> dict[str, Any]:
        return {} if isinstance(self.reader, str) else dict(self.reader[self.reader_name])

    def sum_of(self, algorithm: Literal["sha256", "md5"], name: str, split: str | None) -> str | None:
        """Return the checksum of a file, by its full name, its base name, or the split of which it is the only file."""
        value: str | dict[str, str] | None = getattr(self, algorithm)
        if not isinstance(value, dict):
            return value
        return value.get(name) or value.get(name.rsplit("/", 1)[-1]) or value.get(split or "")
