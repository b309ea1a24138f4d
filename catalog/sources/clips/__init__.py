"""Media that is fetched clip by clip: direct links, and videos of YouTube through yt-dlp.

options.py        how clips are fetched
stage.py          the stage between a reader and the store: candidates in, candidates with files or rejections out
pool.py           the processes that fetch, and what waits for them
process.py        one fetching process and what it is asked; killed when it hangs
worker.py         what runs in it: download once, cut what is asked for
direct_url.py     a file behind a link
youtube.py        a video of YouTube
ytdlp_errors.py   yt-dlp's errors as reasons
network_guard.py  where such a process may connect to, so that a table cannot lead into our own network
rate_limit.py     when a host may be asked: requests a minute, pauses after a refusal, and when to stop asking
failures.py       why a clip could not be had, and whether to ask again
availability.py   what the event log says: held, gone, alive
"""
