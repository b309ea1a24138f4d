"""Files on this machine that a run may read: those of its input, and what the user allows beside it.

extensions.py     which names are those of media
inside.py         what is inside the input, and what leads outside
rubbish.py        files that systems and tools leave in folders, by their names
tree.py           the files of a folder, its linked folders included
named_files.py    the files that rows name: media, and texts
unicode_names.py  names that differ only by Unicode normalisation
same_content.py   whether two files of one name are copies
content_id.py     ids of rows that have none of their own
"""
