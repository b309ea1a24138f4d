"""A model without the experts that are pruned.

slices.py        its tensors: ranges of bytes of the base's files
model_folder.py  the folder, held against the base before it is there
"""
