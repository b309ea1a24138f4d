"""What is done with published versions, beyond reading them: `exports rebuild`, `gc` and `push`.

rebuild.py   a version once more, from its manifest and the tables of its time
collect.py   old versions that can be made again: delete their rows
push.py      a version as a dataset repository on a hub
"""
