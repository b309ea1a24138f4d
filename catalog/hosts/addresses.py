"""Check files that a card names by URL: whether each is there, with its size and type; no body is read."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ...errors import GateError, NetworkError
from ..schema.card import Card
from ..schema.files import groups
from ..sources.download.http import HttpClient, NotFound, WebPageSent
from .findings import Finding

MOST = 100
"""Files of one source that are asked for; a corpus in thousands of parts is told by its first ones."""


def check_addresses(
    card: Card, number: int, configs: tuple[str, ...], client: HttpClient, silent: set[str]
) -> Iterator[Finding]:
    """Yield a finding for each URL of a source, in the card's order.

    Args:
        silent: Hosts that did not answer; they are not asked again. Added to.
    """
    source = card.sources[number]
    opened = groups(source.named_files, list(card.splits), configs)
    paths = dict.fromkeys(path for group in opened for file in group.files for path in file.paths if "://" in path)
    for url in list(paths)[:MOST]:
        host = urlsplit(url).netloc
        if host in silent:
            yield Finding(number, "files", "not asked", f"{host} did not answer", url)
            continue
        finding = _checked(card, number, url, client)
        yield finding
        if finding.status == "not asked" and card.gate_of(source) is None:
            silent.add(host)
    if len(paths) > MOST:
        yield Finding(number, "files", "equal", f"{MOST} of {len(paths):,} files were asked for")


def _checked(card: Card, number: int, url: str, client: HttpClient) -> Finding:
    try:
        remote = client.head(url)
    except (NotFound, WebPageSent) as error:
        return Finding(number, "files", "differs", error.message.removeprefix(f"{url}: "), url)
    except GateError as error:
        if card.gate_of(card.sources[number]) is None:
            said = f"the card names no gate; {error.message.removeprefix(f'{url}: ')}"
            return Finding(number, "gate", "differs", said, url)
        return Finding(number, "files", "not asked", error.message.removeprefix(f"{url}: "), url)
    except NetworkError as error:
        return Finding(number, "files", "not asked", error.message.removeprefix(f"{url}: "), url)
    size = "size unknown" if remote.size is None else f"{remote.size:,} bytes"
    return Finding(number, "files", "equal", ", ".join(filter(None, [size, remote.content_type])), url)
