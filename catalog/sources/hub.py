"""Files of a dataset on the Hugging Face hub, at a pinned revision, as URLs to read by range.

The hub's own client lists the files (`HF_ENDPOINT` and tokens work as everywhere); bytes come through our HTTP layer,
because only the row groups that are needed are fetched.
"""

from __future__ import annotations

import fnmatch

from ...errors import GateError, NetworkError
from .http import NotFound


def hub_files(repo: str, revision: str, pattern: str) -> list[str]:
    """URLs of the files that match `pattern`, in order.

    Raises:
        GateError: The repository is gated, private, or does not exist for this token.
        NotFound: No such revision, or no file matches.
        NetworkError: The hub cannot be reached.
    """
    import httpx2
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/datasets/{repo}"
    try:
        names = HfApi().list_repo_files(repo, revision=revision, repo_type="dataset")
    except GatedRepoError as error:
        raise GateError(f"{repo} is gated.", hint=f"accept its terms at {page}, then: hf auth login") from error
    except RevisionNotFoundError as error:
        raise NotFound(f"{repo} has no revision {revision}.", hint="the card pins an older one; see --cards") from error
    except RepositoryNotFoundError as error:
        raise GateError(
            f"{repo} does not exist, or this login may not see it.", hint=f"look at {page}, then: hf auth login"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise NetworkError(
            f"the hub cannot be reached for {repo}: {str(error).splitlines()[0]}",
            hint="check the connection, HF_ENDPOINT and HF_HUB_OFFLINE, or use --mirror or --from",
        ) from error
    matching = sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))
    if not matching:
        raise NotFound(f"{repo}@{revision[:12]} has no file {pattern}.")
    return [hf_hub_url(repo, name, repo_type="dataset", revision=revision) for name in matching]


def hub_tokens() -> dict[str, str]:
    """The user's token by host, for the HTTP layer; empty without a login."""
    from urllib.parse import urlsplit

    from huggingface_hub import constants, get_token

    token = get_token()
    return {urlsplit(constants.ENDPOINT).netloc: token} if token else {}
