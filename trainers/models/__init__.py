"""Models in folders and on the hub.

model_files.py     where a model lies, what it would cost to download, which revision it is
model_loading.py   the class, processor and template of a model
prompt_forms.py    what training and inference write alike
"""
