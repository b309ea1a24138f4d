"""Files over HTTP.

http.py       the HTTP layer, used for every request
retry.py      limits of retries
checksums.py  expected and measured sizes and checksums
resumable.py  downloads that resume where they stopped
streaming.py  a file that is read while it is downloaded
ranges.py     a file read by range requests
"""
