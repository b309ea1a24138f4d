"""Files of a dataset on the Hugging Face Hub, at a commit, as URLs for range requests.

`huggingface_hub` lists the files (`HF_ENDPOINT` and tokens work as usual); the bytes come through our HTTP layer, which
fetches only the row groups and members that are needed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from ...errors import GateError, NetworkError
from .download.http import NotFound


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
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/datasets/{repo}"
    try:
        info = HfApi(endpoint=endpoint).dataset_info(repo, revision=revision)
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
    return Listing(info.sha or revision, tuple(sorted(file.rfilename for file in info.siblings or ())))


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
