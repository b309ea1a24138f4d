"""`export`: one published version of a view.

options.py         every option
export.py          the whole way on one page: request, select, media, render, account, publish
request.py         the options, checked for one view and store
identity.py        the store at one moment, and what makes two exports the same
select.py          which samples: datasets, splits, the user's expression, verdicts
missing_media.py   media that is not there
cut_media.py       media that must be made: spans, sound out of videos
render.py          rows by the view's SQL, in order, as Parquet and JSON Lines
account.py         what became of every sample
manifest.py        what a version says of itself
publish.py         the next number, and the events of samples without a row
"""
