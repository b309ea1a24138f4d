"""Runs of training: what a run was asked to do, and what it leaves behind.

options.py     the options of every command that trains, and the configuration that they make
config/        the configuration: sections, the YAML file, values set on the command line
prepare.py     data, model and what of it is trained, before the first step
preflight/     what a run would be, found out before its first step (`--dry-run`)
processes/     several processes that train one model
loop/          from one step to the next: `transformers.Trainer`, checkpoints
scores/        scores of a model while it is trained
records/       what a run leaves behind: its record, metrics, curves, model card
observers.py   who is told of a run
run_folder.py  the folder of a run: who writes there, and where a run begins
request.py     a run, or the look at one, as options ask for it
run.py         a run from its configuration to its folder
result.py      what came of it
"""
