"""The single loop that ingests samples from a reader into the store.

In reading order:

    ingest.py          the loop: probe, media, commit, account
    options.py         how candidates are ingested
    quota.py           when to stop: the limits on samples and hours
    missing_media.py   candidates whose media file does not exist
    shared_media.py    media used by several candidates
    sample_row.py      the row of one candidate
    stored_ids.py      ids and content hashes of the rows already stored
    event_log.py       events of candidates that are not stored
"""
