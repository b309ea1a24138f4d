"""`catalog pull`: from a card's name to samples in the store.

options.py          what can be said of a pull
request.py          what of a card the options mean: made once, handed from stage to stage
pull.py             the pull on one page: start here
sources.py          which sources may be tried, in order
candidates.py       the stages' contract; files to candidates, clips to media
draw.py             a draw: the source is listed, then the drawn candidates are read
stored.py           what the store holds of the dataset
history.py          what earlier pulls tell this one
record.py           what this one writes down for the next
plan.py             `--dry-run`
batch.py            several datasets: panels, modalities, presets
evaluation_list.py  `--list`: the samples that somebody evaluates on, with their references
"""
