"""Scores of a model while it is trained.

evaluations.py      when the model is measured, without a trace in the run
validation_loss.py  its loss on an export
answers.py          its answers to the questions of an export, scored as `triptych evaluate` scores them
"""
