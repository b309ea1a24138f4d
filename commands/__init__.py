"""The commands, one file per subject; each is a few lines over a function of the API.

catalog/      `catalog list`, `show`, `lint`, `pull` and `fetch`
samples/      `import`, `validate`, `annotate`, `explain`, `align`, `split` and `query`
files/        `export`, `exports`, `convert` and `validate-file`
models/       `infer`, `evaluate`, `review`: what models answer, and what that is worth; `train` and `prune` change them
store.py      `store init`, `status`, `compact`, `gc`, `refresh`, `remove`
demo.py       `demo`: the whole workflow on synthetic datasets, without a network
parameters.py parameters of commands: shared ones, and those generated from a model of options
table.py      tables of commands, each of which is imported when it is asked for; `cli.py` has the tables
help.py       the layout of `--help`; the options of every command
completion.py shell completion
output.py     output of commands: one JSON document or readable tables, progress and logs
reference.py  generates `options/arguments.py` and the tables of docs/commands.md from the models of options
"""
