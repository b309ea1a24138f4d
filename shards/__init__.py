"""The store, the sample and everything that reads or writes either.

In reading order:

    sample.py          one row of the one Arrow schema
    tables.py          the six tables of a store and their columns
    store_format.py    the version of a store's format, and where a media file lies
    store.py           a store made, opened, written
    lock.py            who is at work in it
    media.py           media files, named by their content
    probe.py           what a media file says of itself
    events.py          runs and the account: where every candidate went
    rows_to_arrow.py   rows as Arrow tables
    sql.py             small pieces of SQL
    views.py           the SQL that reads the tables
    snapshot.py        a store as it is at one moment, for whoever asks it several things
    query.py           a store as DuckDB sees it; the sandbox for users' SQL
    annotations.py     later facts laid over the samples
    annotate.py        annotations written
    explain.py         one sample's life
    care.py            status, compaction, garbage
    removal.py         samples withdrawn
    exports.py         published versions
    copies.py          versions relocated and packed
    cut.py             media that a view needs and no corpus holds
    clips.py           a clip out of a longer file
    packets.py         its packets
    engine.py          a function over the parts of a table, in several processes
    worker.py          what such a process runs
    json_stream.py     JSON documents, an element at a time
    hash_sets.py       ids of millions of rows in little memory
    text.py            text as views and checks need it
    json_stream.py     JSON arrays, item by item
    strict_yaml.py     YAML that is checked before it is read
"""
