"""`exports push`: a version as a dataset repository on a hub, in one commit.

A version whose rows name media is pushed with that media, and its rows name the files of the repository
(`./media/...`): clone it, and train from its folder. `README.md` says which file is the data, and under which licences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import GateError, NetworkError, UsageError
from ...shards.exports import copies
from ...shards.exports import versions as exports
from ...shards.exports.copies import WriteFiles
from ...shards.exports.scratch import scratch_folder

CARD = "README.md"
_LOG_IN = "log in with a token that may write: hf auth login, or set HF_TOKEN"
_AGAIN = "the version is unchanged; run the same command again"


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where a version was pushed to; `media` is the number of its media files."""

    repo: str
    url: str
    commit: str
    files: int
    media: int


def push(
    version: exports.Version, repo: str, *, media: bool = False, public: bool = False,
    embeds_media: bool = False, write_files: WriteFiles | None = None,
) -> Pushed:  # fmt: skip
    """Push a version to the dataset repository `repo`, which is created if it does not exist.

    Args:
        repo: `owner/name`.
        media: Push the media that the rows name, too.
        public: Make the repository public when it is created; default: private.
        embeds_media, write_files: As for `copies.pack`.

    Raises:
        UsageError: The rows name media that would not be pushed.
        GateError: The hub refuses: not logged in, or not allowed to write there.
        NetworkError: The hub cannot be reached, or the push failed.
    """
    exports.require_data(version)
    named = [] if embeds_media else exports.media_paths(version)
    if named and not media:
        raise UsageError(
            f"The rows of {version.reference} name {len(named):,} media files of this machine, which the hub lacks.",
            hint="push them too with --media; NOTICE lists the licences",
        )
    with scratch_folder(version.path.parent, "push") as scratch:
        folder = scratch / "push"
        manifest = copies.pack(
            version, folder, media_root=copies.HERE, embeds_media=embeds_media, write_files=write_files
        )
        if not (folder / CARD).exists():
            (folder / CARD).write_text(_card(version, manifest), encoding="utf-8")
        files = sum(path.is_file() for path in folder.rglob("*"))
        url, commit = _upload(folder, repo, f"{version.reference}: {manifest['rows']:,} rows", private=not public)
    return Pushed(repo, url, commit, files, len(named))


def _card(version: exports.Version, manifest: Mapping[str, Any]) -> str:
    """The card of the repository: its data file, and the licences by dataset."""
    licences = [
        f"| {dataset} | {licence} | {count:,} |"
        for dataset, counts in manifest["datasets"].items()
        for licence, count in sorted(counts.items())
    ]
    media = "inside its files" if manifest["media"].get("embedded") else "named relative to this folder"
    return "\n".join([
        "---",
        "configs:",
        "- config_name: default",
        "  data_files: data.parquet",
        "---",
        "",
        f"# {version.name}",
        "",
        f"Version {version.label} of the view `{manifest['view']}`, {manifest['rows']:,} rows, in `data.parquet` and",
        f"`data.jsonl`. `manifest.json` says what it was made from. Its media is {media}.",
        "",
        "The licences of the data stay with it:",
        "",
        "| dataset | licence | rows |",
        "| --- | --- | ---: |",
        *licences,
        "",
    ])  # fmt: skip


def _upload(folder: Path, repo: str, message: str, *, private: bool) -> tuple[str, str]:
    """Push a folder in one commit; its address and the commit."""
    from huggingface_hub import HfApi

    api = HfApi()
    with _hub_errors(repo):
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        # One folder is one state: files of an earlier version that this one lacks must not stay beside it.
        commit = api.upload_folder(
            repo_id=repo, repo_type="dataset", folder_path=folder, commit_message=message, delete_patterns="*"
        )
    return str(commit.commit_url), str(commit.oid)


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    """Raise the client's errors as ours: what was refused, and what to do."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise UsageError(f"{repo!r} is not the name of a repository: {error}", hint="write OWNER/NAME") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise GateError(
                f"The hub refuses to write to {repo} (HTTP {status}).",
                hint=_LOG_IN,
            ) from error
        raise NetworkError(f"The hub answered HTTP {status} while {repo} was pushed: {error}") from error
    except HTTPError as error:
        raise NetworkError(f"The hub cannot be reached: {error}", hint=_AGAIN) from error
    except PermissionError as error:  # Xet's own word for a token that may not write
        raise GateError(f"The hub refuses to write to {repo}: {error}", hint=_LOG_IN) from error
    except (RuntimeError, ValueError, OSError) as error:
        # Large files go another way than the commit: by Xet, else by LFS, whose failures have no type of their own.
        why = " ".join(f"{error.__cause__ or error}".split())
        raise NetworkError(
            f"A large file could not be uploaded to {repo}: {why}",
            hint=f"{_AGAIN}; HF_HUB_DISABLE_XET=1 tries without Xet",
        ) from error
