"""The one loop that takes samples from a reader into the store.

In reading order:

    ingest.py          the loop: probe, media, commit, account
    quota.py           when it has enough
    missing_media.py   candidates whose media is not there
    shared_media.py    media that several candidates name
    sample_row.py      the row of one candidate
    stored_ids.py      what the table of samples holds already
    event_log.py       the events of candidates that are not kept
"""
