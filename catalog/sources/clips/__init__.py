"""Media that is fetched clip by clip: direct links, and videos of YouTube through yt-dlp.

fetching.py   the stage between a reader and the store: candidates in, candidates with files or rejections out
process.py    one fetching process and what it is asked; killed when it hangs
worker.py     what runs in it: download once, cut what is wanted
guard.py      where such a process may connect to, so that a table cannot lead into our own network
pace.py       when a host may be asked: requests a minute, walls, and when to stop asking
reasons.py    why a clip could not be had, and whether to ask again
messages.py   yt-dlp's errors as such reasons
liveness.py   what the ledger says: held, gone, alive
"""

from .availability import Alive, Held, alive, read_failures, read_held
from .failures import REASONS, RETRYABLE, TERMINAL, Reason
from .options import ClipOptions, require_ytdlp
from .rate_limit import RateLimiter
from .stage import fetch_remote

__all__ = [
    "REASONS",
    "RETRYABLE",
    "TERMINAL",
    "Alive",
    "ClipOptions",
    "Held",
    "RateLimiter",
    "Reason",
    "alive",
    "fetch_remote",
    "read_failures",
    "read_held",
    "require_ytdlp",
]
