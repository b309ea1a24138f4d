"""The model of term retrieval.

encoders.py         speech and text as one vector each
sonar.py            SONAR's encoder of speech, where its package is there
model_inputs.py     what the model takes of clips and texts
retrieval_model.py  projections to one space, and encoders that are trained
trained_parts.py    layers of encoders that are trained, and adapters
row_vectors.py      the vectors of all clips and texts of a run before its first step
"""
