"""The store, the sample, and everything that reads or writes either.

sample.py         one row of the one Arrow schema
store_format.py   the version of a store's format, and where a media file lies
store/            a store: created, opened, locked, written and read as SQL
media/            media files: stored by content, probed, clipped and cut
events.py         runs and the account: where every candidate went
annotate.py       annotations written over stored samples
query.py          a store as DuckDB sees it; the sandbox for users' SQL
explain.py        the history of one sample
exports/          published versions, and copies of them
care/             status, compaction, garbage collection, withdrawal
engine/           a function over the parts of a table, in several processes
text.py           text normalisation that checks and views share
hash_sets.py      sets of 64-bit hashes for millions of ids in little memory
json_stream.py    JSON documents read as a stream
strict_yaml.py    YAML that is checked before it is loaded
"""
