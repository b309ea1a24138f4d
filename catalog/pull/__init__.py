"""`catalog pull`: from a card's name to samples in the store.

options.py          the options of a pull
request.py          a card plus options, resolved once and passed from stage to stage
pull.py             the whole pull in one file: start here
sources.py          which sources to try, in order
candidates.py       the interface of the stages; from files to candidates, from clips to media
promises.py         the stage that checks what the card promises of every sample
draw.py             a draw: list the source, then read the drawn candidates
stored.py           queries of the store about one dataset
history.py          what earlier pulls recorded
record.py           what this pull records for later ones
plan.py             `--dry-run`
batch.py            several datasets: panels, modalities, presets
evaluation_list.py  `--list`: the samples of a published evaluation list, with their references
"""
