"""From the file names on a card to open streams of raw files, from a host, a mirror, a folder or a generator.

A file set is opened as a whole: the files of one split, one archive of a whole corpus, an unpacked tree. Creating
one reads at most a listing; the data is read by `files()`. Its `fingerprint` tells whether the same file set was
already read to its end.

    access.py      how a pull reaches its sources: client, downloads, mirror, notices
    file_set.py    the file sets of a source for the requested splits
    resolve.py     from the files named on a card to the files on a host
    shard_numbers.py  which of a series of numbered files are missing
    mirror.py      a folder or URL that stands in for the original hosts
    open.py        from a URL to the raw files that a reader gets
    layout.py      which source of a card the user's own copy was made for
    user_files.py  the user's own copy: an archive, an unpacked tree, a folder of downloads
    file_names.py  which configuration and split a user's file belongs to
"""
