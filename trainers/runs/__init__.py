"""Runs of training: what a run was asked to do, and what it leaves behind.

options.py   the options of every command that trains, and the configuration that they make
config/          the configuration: sections, the YAML file, values set on the command line
loop/            from one step to the next: `transformers.Trainer`, checkpoints
scores/          scores of a model while it is trained
"""
