"""Maps yt-dlp's errors to reasons of the event log.

YouTube's own message arrives as the message of an `ExtractorError`, a network error as its cause. Messages are matched
first, specific phrases before general ones: many messages begin with `Video unavailable`. Nothing here imports yt-dlp:
errors are recognised by the names of their types, so that the table can be tested without it.
"""

from __future__ import annotations

from collections.abc import Iterator

_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("bot_wall", ("you're not a bot", "captcha", "unusual traffic")),
    (
        "rate_limited",
        (
            "http error 429",
            "too many requests",
            "rate-limited",
            "rate limited",
            "content isn't available, try again later",
        ),
    ),
    (
        "geo_blocked",
        (
            "available in your country",
            "in your country",
            "from your location",
            "geo restriction",
            "geo-restrict",
            "in your region",
        ),
    ),
    ("age_restricted", ("confirm your age", "age-restricted", "age restricted", "inappropriate for some users")),
    (
        "members_only",
        (
            "members-only",
            "members only",
            "join this channel",
            "available to this channel's members",
            "music premium members",
            "youtube premium",
            "requires payment",
            "purchase",
            "drm protected",
        ),
    ),
    ("private", ("private video", "video is private", "this is a private", "registered users", "login required")),
    (
        "live",
        (
            "live event will begin",
            "premieres in",
            "premiere will begin",
            "live event has ended",
            "live stream recording is not available",
            "not currently live",
            "stream is offline",
        ),
    ),
    (
        "dead",
        (
            "has been removed",
            "been terminated",
            "account has been closed",
            "no longer available",
            "no longer exists",
            "does not exist",
            "copyright claim",
            "copyright grounds",
            "violating youtube",
            "incomplete youtube id",
            "truncated",
        ),
    ),
    ("not_media", ("unsupported url", "is not a valid url")),
    ("extractor_failed", ("playback on other websites", "workspace administrator", "not available on this app")),
    ("dead", ("video unavailable", "video is unavailable", "video is not available", "video isn't available")),
)  # fmt: skip


def reason_of(error: BaseException, *, downloading: bool = False) -> str:
    """Return the reason for an error raised by yt-dlp.

    Parameters:
        downloading: The page was read and the file itself was being fetched: then a 403 or 404 means a URL that
            has expired, not a video that is gone.
    """
    chain = list(_chain(error))
    types = {kind.__name__ for each in chain for kind in type(each).__mro__}
    text = " ".join(str(each) for each in chain).lower().replace("’", "'")
    if "GeoRestrictedError" in types:
        return "geo_blocked"
    if "UserNotLive" in types:
        return "live"
    for reason, phrases in _PHRASES:
        if any(phrase in text for phrase in phrases):
            return reason
    status = next((each.status for each in chain if type(each).__name__ == "HTTPError" and hasattr(each, "status")), 0)
    if status:
        return _reason_of_status(int(status), downloading=downloading)
    if any(isinstance(each, TimeoutError) for each in chain) or "timed out" in text:
        return "timeout"
    if types & {"TransportError", "ConnectionError", "ContentTooShortError", "gaierror"}:
        return "network"
    return "extractor_failed"


def summary(error: BaseException) -> str:
    """Return one line for the event log: yt-dlp's message without prefix and without advice on reporting bugs."""
    text = " ".join(str(error).split()).removeprefix("ERROR: ")
    return text.split("; please report this issue on", 1)[0][:300]


def _reason_of_status(status: int, *, downloading: bool) -> str:
    if status in (404, 410) and not downloading:
        return "dead"
    if status == 451:
        return "geo_blocked"
    if status in (401, 403) and not downloading:
        return "private"
    if status >= 500 or status == 408:
        return "network"
    return "extractor_failed"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, linked by Python or by yt-dlp."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        exc_info = getattr(each, "exc_info", None)
        inner = exc_info[1] if isinstance(exc_info, tuple) and len(exc_info) > 1 else None
        waiting += [each.__cause__, inner, getattr(each, "cause", None)]
