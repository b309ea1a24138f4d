"""`export`: publish one version of a view.

options.py         all options
export.py          the whole export in one function: request, select, media, render, account, publish
request.py         the options, checked for one view and store
identity.py        a snapshot of the store, and the key by which equal exports are recognized
select.py          which samples: datasets, splits, the user's expression, verdicts
expand.py          several rows of one sample, where the request or the view asks for them
media/             the media of rows: what is cut, extracted from videos, changed, or not there
render.py          rows produced by the view's SQL, ordered, as Parquet and JSON Lines
content.py         the fields that rows leave out, and where the sound of their videos is
repeated_rows.py   rows whose sound a test has, and rows that are there twice
account.py         the outcome of every sample, counted
manifest.py        `manifest.json` and `NOTICE` of a version
result.py          what an export gives back, with its warnings
publish.py         the next version number, and the events of samples without a row
"""
