"""Trainers read published exports only; imports from floors 0 to 2.

data/        reading exports: rows, turns, sound
models/      models in folders and on the hub: their files, classes and processors
sft/         supervised fine-tuning: what a model reads of a row, and what it is trained to say
preference/  two answers to one question: the preferred one is made more likely (DPO)
configs/     configurations to begin with
retrieval/   terms of a glossary that a clip names: the losses, scores and search of their retrieval
phoneme/     phones out of speech, with confidences and scores of pronunciation
runs/        what a run of training was asked to do, and what it leaves behind
evaluation/  what models answered, beside what is right
benchmarks/  benchmarks as their authors score them, and models that judge
inference/   asking models: rows in, predictions out
review/      rows on a page for people to judge, and what they said
reap/        pruning of experts by what they do on calibration rows
serving/     what a run hands on: a model folder with what was learned in its weights
pages/       self-contained HTML pages
rewards/     rewards of reinforcement learning, for a trainer's own machine
"""
