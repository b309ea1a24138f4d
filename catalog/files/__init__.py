"""From the names on a card to open streams of raw files, from a host, a mirror, a folder or a generator.

A file set is what is opened at once: the files of one split, one archive of a whole corpus, an unpacked tree. Making
one touches at most a listing; the bytes come when `files()` is read. Its `fingerprint` says whether the same file set
was read to its end before.

    access.py      how a pull reaches its sources: client, downloads, mirror, notices
    file_set.py    what a source holds of the splits that are asked for
    resolve.py     from the files that a card names to the files that a host has
    mirror.py      a folder or URL that answers for the original hosts
    open.py        from an address to the raw files that a reader gets
    user_files.py  what the user already has: an archive, its tree, a folder of downloads
    file_names.py  which configuration and split a file of the user is of
"""
