"""The commands, a file a subject; every one is a few lines over a function of the API.

pulling.py    `catalog pull` and `catalog fetch`: from hosts to a store, and from hosts to a mirror
catalog.py    `catalog list`, `show` and `lint`
data.py       `import`, `validate`, `validate-file`, `annotate`, `explain`, `query`
export.py     `export` and `exports`
convert.py    `convert`: file to file, without a store
store.py      `store init`, `status`, `compact`, `gc`, `refresh`, `remove`
demo.py       `demo`: the whole main job on synthetic datasets, without a network
options.py    the options that many commands share
output.py     what commands print: one JSON document or readable tables, progress and logs beside them
"""
