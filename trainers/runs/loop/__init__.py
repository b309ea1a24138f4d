"""The loop of a run: from one step to the next, with checkpoints from which it goes on exactly.

steps.py         the steps of a run: the batches between two updates of the weights
objective.py     what a run minimises
trainer.py       the loop, over `transformers.Trainer`
arguments.py     what that is told of a configuration
checkpoints.py   folders that are complete or are not there
progress.py      what a run has come to, and who is told
interval.py      sums between two lines of metrics
evaluations.py   scores while the model is trained
number_guard.py  the end of a run whose loss is no number
stop_signals.py  SIGTERM and SIGINT: the end after the step that is under way
"""
