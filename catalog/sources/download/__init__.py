"""Files from hosts.

http.py       the one HTTP layer
retry.py      how often a host is asked again
checksums.py  what a file must be, and what its bytes are
resumable.py  a download that goes on where it ended
streaming.py  a file that is read while it comes
ranges.py     a file of which only parts are fetched
"""
