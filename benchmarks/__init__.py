"""Benchmarks: Triptych compared with the limit of the machine and with its peers; see benchmarks/README.md.

`python -m benchmarks` runs them all; each rewrites its section of RESULTS.md.

    archive.py            archive to store, compared with `tar xzf` and two peers
    members.py            many small members of an archive: is memory use constant?
    decode.py             decode and measure every clip
    export.py             a million rows rendered and published
    query.py              SQL over ten million rows
    scores.py             word error rates of many pairs
    retrieval.py          a glossary of a million terms, searched
    terms.py              terms in real speech by real weights, beside random ones
    phonemes.py           phones of a speaker who was never heard, with real and with random weights
    resume.py             runs of training that are killed: do they end with the same weights?
    training_step.py      a step of training beside a bare loop
    training_memory.py    a run of training over thousands of rows: does its memory grow?
    training_data.py      batches of sound for training, compared with two peers
    budgets.py            tokens and frames by formula: are they those of the models' own processors?
    reap.py               scores of experts beside a plain forward pass
    scale.py              imports of many rows, many tiny clips: is memory use constant?
    memory.py             import, validate and export of ever more rows: is memory use constant?
    again.py              a second identical pull and export, which should do nothing
    consumers.py          every view, loaded by the program that reads it
    real_media.py         a store of real media, with what every view needs, for `consumers`
    corpus.py             the corpus for the benchmarks, spoken by espeak-ng
    mirrors.py            that corpus as a mirror of its original host
    plenty.py             tables of many rows and an archive of tiny clips, for `scale`
    rows.py               stores with many synthetic rows, for `export` and `query`
    counting_server.py    a folder served on loopback, counting every request
    peers.py              the peers and their environment
    timing.py             whole processes timed from outside: wall clock, processor time, peak memory
    report.py             prints results and writes them to RESULTS.md
    drivers/              the scripts that are timed: ours, the peers', and the bare loops
"""
