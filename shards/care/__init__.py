"""Maintenance of a store.

care.py           status, compaction, garbage collection
media_in_use.py   media that a row of a kept version or an export names
removal.py        withdrawal of samples, step by step
facts.py          what was measured, decided and noted of samples
selection.py      which samples a removal takes, and which exports contain them
trainings.py      which runs of training used exports
journal.py        removals that are not finished
tombstones.py     what was withdrawn and must not come back
purge.py          deleting every trace of withdrawn samples
restore.py        withdrawn samples brought back
verify.py         tables, media and exports are what was stored
repair.py         lost media stored again
recovery.py       a command that writes finishes what killed ones left
"""
