"""Commands about models: what they answer, and what that is worth.

infer.py      `infer`: ask a model
evaluate.py   `evaluate`: predictions beside what is right
train.py      `train sft` and its like: train a model
prune.py      `prune`: take experts out of a model
train_config.py   `train config`: configurations to begin with
retrieve.py   `retrieve`: the terms of a glossary that recordings name; and `train contrastive`
phoneme.py    `phoneme build-vocabulary` and `phoneme infer`: phones out of speech
demo_training.py  `demo --train`: a small model is trained, scored and merged
review.py     `review make` and `review read`: what people say of drawn rows
"""
