"""`split`: splits in which no speaker, session or video is in two of them.

options.py      all options
calls.py        `triptych.split`, `triptych.check_splits`
split.py        the whole split in one function
key.py          what keeps samples together
group.py        groups of samples, over the key and the links of samples
assignment.py   which split each group goes to
facts.py        why groups keep their place, and what each split has
certificate.py  the file of facts, and what a split is of
check.py        whether splits still hold
conflicts.py    the same for the samples of an export
"""
