"""The harness of truth: a made corpus whose every second is known, through all that the package does with one.

chirps.py          sounds whose frequency tells the time, and an ear that says what a file holds
films.py           films whose frames carry their number
forms.py           every container and codec
utterances.py      which part of which clip a row states, and whether its media is that part
spellings.py       columns that state a span
layouts/           every reader's layout of a corpus: `LAYOUTS`
cases.py           what is combined with what
intake.py          cases into a store, out through every view, and through `convert`
rows.py            what a row of each view shows: `ROWS`
test_rows.py       through a store and every view
test_order.py      rows with several files
test_convert.py    file to file
test_facts.py      what a store says of a file
test_clips.py      clips of longer files
test_alignments.py words and their times
test_ear.py        the harness itself: each kind of wrong is told
test_registry.py   every reader, format and view is in it
"""
