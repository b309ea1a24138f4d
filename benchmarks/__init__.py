"""What Triptych costs, measured beside the limit of the machine and beside its peers; see benchmarks/README.md.

`python -m benchmarks` runs them all; each rewrites its section of RESULTS.md.

    archive.py            archive to store, beside `tar xzf` and two peers
    members.py            many small members of an archive: does memory stay flat?
    decode.py             decode every clip and measure it
    export.py             a million rows rendered and published
    query.py              SQL over ten million rows
    scale.py              imports of many rows, many tiny clips: does memory stay flat?
    again.py              a second identical pull and export, which should do nothing
    corpus.py             the corpus they measure with, spoken by espeak-ng
    mirrors.py            that corpus as a mirror of its original host
    plenty.py             many small things, for `scale`
    rows.py               stores with many synthetic rows, for `export` and `query`
    counting_server.py    a folder served on loopback, with every request counted
    peers.py              the peers, in an environment of their own
    timing.py             whole processes timed from outside: wall clock, processor time, peak memory
    report.py             what was found, printed and kept in RESULTS.md
    drivers/              the scripts that are timed: ours, the peers', and the bare loops
"""
