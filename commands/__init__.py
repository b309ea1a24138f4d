"""The commands, one file per subject; each is a few lines over a function of the API.

catalog/      `catalog list`, `show`, `lint`, `pull` and `fetch`
data.py       `import`, `validate`, `validate-file`, `annotate`, `explain`, `query`
samples.py    `align` and `split`: what is later found or decided about samples
export.py     `export`
exports.py    `exports`: the published versions
models/       `infer`, `evaluate`, `review`: what models answer, and what that is worth; `train` and `prune` change them
convert.py    `convert`: file to file, without a store
store.py      `store init`, `status`, `compact`, `gc`, `refresh`, `remove`
demo.py       `demo`: the whole workflow on synthetic datasets, without a network
parameters.py parameters of commands: shared ones, and those generated from a model of options
help.py       the layout of `--help`; the options of every command
completion.py shell completion
output.py     output of commands: one JSON document or readable tables, progress and logs
reference.py  generates `options/arguments.py` and the tables of docs/commands.md from the models of options
"""
