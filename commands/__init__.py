"""The commands, a file a subject; every one is a few lines over a function of the API.

pull.py       `catalog pull` and `catalog fetch`: from hosts to a store, and from hosts to a mirror
catalog.py    `catalog list`, `show` and `lint`
data.py       `import`, `validate`, `validate-file`, `annotate`, `explain`, `query`
export.py     `export` and `exports`
convert.py    `convert`: file to file, without a store
store.py      `store init`, `status`, `compact`, `gc`, `refresh`, `remove`
demo.py       `demo`: the whole main job on synthetic datasets, without a network
parameters.py what a command takes: parameters that many share, and those that a model of options makes
help.py       how `--help` looks; the options of every command
completion.py what a shell completes
output.py     what commands print: one JSON document or readable tables, progress and logs beside them
reference.py  what is written from the models of options: `arguments.py` and the tables of docs/commands.md
"""
