"""The loop of a run: from one step to the next, with checkpoints from which it goes on exactly.

steps.py         the steps of a run: the batches between two updates of the weights; what is called in each
objective.py     what a run minimises
trainer.py       the loop, over `transformers.Trainer`
step_end.py      what happens after each step
arguments.py     what that is told of a configuration
rates.py         learning rates: warm-up, schedule, stages
trained_weights.py the weights of a checkpoint; stages from step to step
checkpoints.py   folders that are complete or are not there
progress.py      what a run has come to, and who is told
identity.py      what a run and its checkpoint must have in common
interval.py      sums between two lines of metrics
number_guard.py  the end of a run whose loss is no number
stop_signals.py  SIGTERM and SIGINT: the end after the step that is under way
"""
