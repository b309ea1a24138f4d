"""Several processes that train one model.

ranks.py   processes that train together: what each has found, told to all
parts.py   models whose weights are parted among them
"""
