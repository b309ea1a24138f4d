"""The store, the sample, and everything that reads or writes either.

sample.py         one row of the shared Arrow schema
store_format.py   the format version of a store, and the paths of its media files
store/            a store on disk: creation, locks, writes, SQL views
media/            content-addressed media files: storing, probing, clipping, cutting
events.py         runs and the account: where every candidate went
vocabulary.py     the words for tasks, modalities, panels and languages, and what becomes them; `languages.tsv`
split_roles.py    whether a split is train, validation or test
annotate.py       writing annotations of stored samples
budgets/          how many tokens and frames a sample or a text is in a model
query.py          DuckDB queries over a store; the sandbox for user SQL
explain.py        the history of one sample
exports/          published versions, and copies of them
care/             status, compaction, garbage collection, withdrawal
engine/           applying a function to the parts of a table, in several processes
in_memory.py      sound files in memory, and the wait of Ctrl-C while a C library calls back
on_demand.py      tables of modules that are imported when they are asked for
certificates.py   the certificates by which hosts are known, loaded once
git_pointers.py   files that stand in for content that was not fetched
text.py           text normalisation that checks and views share
terms.py          the terms of a glossary in the words of an utterance; `no_terms.tsv`
pace.py           how fast long work goes on, for whoever waits
phones.py         phone sets and their folding
draw.py           the random draw by hash of seed and id
hash_sets.py      memory-efficient sets and maps of 64-bit hashes, for millions of ids
json_lines.py     lines of JSON Lines, of bounded length
json_objects.py   JSON objects of which no value is lost
json_stream.py    a streaming JSON reader
json_rows.py      the rows of a file of objects, JSON Lines or an array, with their lines
row_log.py        a file of JSON Lines that grows by whole rows
strict_yaml.py    the strict YAML loader, with line numbers
yaml_problems.py  what pydantic finds wrong with a YAML file, with file, line and key
"""
