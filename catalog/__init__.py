"""The catalog: from a dataset's name to candidates, and with the converters to samples in the store.

schema/       what a card may say
cards/        one card a dataset, in YAML; presets/ names sets of them
registry.py   which cards there are: ours, and the user's
pull/         `catalog pull`: resolve, open, read, filter or draw, fetch clips, ingest
subset/       which candidates a pull takes
files/        from the names on a card to open streams
sources/      where raw files come from: hosts, archives, folders, clips, generators
fetch.py      `catalog fetch`: files into a mirror
cost.py       what a pull would cost
docs_page.py  the page of all datasets
"""
