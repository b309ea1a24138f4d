"""Files of a dataset on the Hugging Face Hub, at a commit, as URLs for range requests.

`huggingface_hub` lists the files (`HF_ENDPOINT` and tokens work as usual); the bytes come through our HTTP layer, which
fetches only the row groups and members that are needed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ...errors import GateError, NetworkError
from .download.http import NotFound

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a dataset repository at a commit."""

    commit: str
    names: tuple[str, ...]


def hub_listing(repo: str, revision: str) -> Listing:
    """List the files of a repository; a branch given as `revision` is resolved. Listings are cached.

    Raises:
        GateError: The repository is gated, private, or not visible with this token.
        NotFound: The revision does not exist.
        NetworkError: The hub cannot be reached.
    """
    from huggingface_hub import get_token

    return _listing(_endpoint(), get_token(), repo, revision)


def _endpoint() -> str:
    """Return the hub's URL. The client reads `HF_ENDPOINT` once, when it is loaded; a notebook may set it later."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


@lru_cache(maxsize=64)
def _listing(endpoint: str, token: str | None, repo: str, revision: str) -> Listing:
    info = _asked(endpoint, repo, revision, with_files=False)
    return Listing(info.sha or revision, tuple(sorted(file.rfilename for file in info.siblings or ())))


@dataclass(frozen=True, slots=True)
class Repository:
    """What the hub says of a dataset repository at a commit.

    Attributes:
        sizes: Bytes by file name, in the order of the names; 0 where the hub does not say.
        sha256: SHA-256 of the large files by name.
        licenses: The licence tags of its card.
        is_gated: Files need terms to be accepted.
    """

    name: str
    commit: str
    sizes: dict[str, int]
    sha256: dict[str, str]
    licenses: tuple[str, ...]
    is_gated: bool


def hub_repository(repo: str, revision: str) -> Repository:
    """Describe a repository; raises as `hub_listing` does. Not cached: a check asks the hub itself."""
    info = _asked(_endpoint(), repo, revision, with_files=True)
    files = sorted(info.siblings or (), key=lambda file: file.rfilename)
    tags = [tag.partition(":") for tag in info.tags or ()]
    return Repository(
        repo,
        info.sha or revision,
        {file.rfilename: file.size or 0 for file in files},
        {file.rfilename: file.lfs.sha256 for file in files if file.lfs is not None},
        tuple(value for name, _, value in tags if name == "license"),
        bool(info.gated),
    )


def _asked(endpoint: str, repo: str, revision: str, *, with_files: bool) -> DatasetInfo:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/datasets/{repo}"
    try:
        return HfApi(endpoint=endpoint).dataset_info(repo, revision=revision, files_metadata=with_files)
    except GatedRepoError as error:
        raise GateError(f"{repo} is gated.", hint=f"accept its terms at {page}, then: hf auth login") from error
    except RevisionNotFoundError as error:
        raise NotFound(f"{repo} has no revision {revision}.", hint="the card pins an older one; see --cards") from error
    except RepositoryNotFoundError as error:
        raise GateError(
            f"{repo} does not exist, or this login cannot access it.", hint=f"check {page}, then: hf auth login"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise NetworkError(
            f"the hub cannot be reached for {repo}: {str(error).splitlines()[0]}",
            hint="check the connection, HF_ENDPOINT and HF_HUB_OFFLINE, or use --mirror or --from",
        ) from error


def hub_url(repo: str, name: str, revision: str) -> str:
    """Return the URL of a file at the configured endpoint."""
    from huggingface_hub import hf_hub_url

    return str(hf_hub_url(repo, name, repo_type="dataset", revision=revision, endpoint=_endpoint()))


def hub_tokens() -> dict[str, str]:
    """Return the user's token by host, for the HTTP layer; empty if not logged in."""
    from urllib.parse import urlsplit

    from huggingface_hub import get_token

    token = get_token()
    return {urlsplit(_endpoint()).netloc: token} if token else {}
