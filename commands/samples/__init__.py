"""Commands about the samples of a store.

imports.py    `import`: your own data into the store
validate.py   `validate`: checks and rules
annotate.py   `annotate` and `explain`: what is said of one sample, and what happened to it
align.py      `align`: word and phone times
split.py      `split`: no speaker, session or video in two splits
query.py      `query`: SQL over the store
"""
