"""Benchmarks as their authors score them, and models that judge.

protocols.py    by which rule a benchmark is scored, by what it is reported, what its script leaves out
submission.py   the file of answers that the Audio Reasoning Challenge takes
options.py      the options of a judge
cases.py        what a judge is asked about one row
rubrics.py      the questions and the ratings of the challenge's rubrics
airbench.py     the questions and the ratings of AIR-Bench chat
judgements.py   the file in which every judgement is kept
judge.py        asking a judge
ratings.py      the ratings of the rows of an evaluation
"""
