"""Media fetched clip by clip: direct links, and YouTube videos through yt-dlp.

options.py        options for fetching clips
stage.py          stage between a reader and the store: takes candidates, yields candidates with files or rejections
pool.py           the pool of download processes, and the queue of tasks
process.py        one download process and its tasks; killed when it hangs
worker.py         the program of that process: download once, cut the requested clips
download.py       what was downloaded, and whether all of it arrived
direct_url.py     a file behind a direct link
youtube.py        a YouTube video
ytdlp_errors.py   maps yt-dlp's errors to reasons
network_guard.py  where such a process may connect, so that a table cannot reach our own network
rate_limit.py     requests per minute and host, pauses after a refusal, and when to stop
failures.py       why a clip could not be fetched, and whether to try again
availability.py   what the event log records: stored, gone, available
"""
