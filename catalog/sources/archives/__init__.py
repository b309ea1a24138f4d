"""Archives as streams of raw files: members are read one by one, in order, in constant memory.

reader.py         entry point: `members` of any archive, nested ones included, each a raw file or a rejection
user_archive.py   an archive of the user's, for `import`
safety.py         limits against decompression bombs, and the check of member names
decompress.py     gzip, bzip2 and xz as streams
tar.py            tar as a stream of entries
zip.py            zip as a list of entries, encrypted ones included
name_encoding.py  the encoding of a zip's names that are not UTF-8
sevenzip.py       7z as a list of entries
openssl_enc.py    archives encrypted by `openssl enc`, decrypted as they are read
part_names.py     numbered part names, and which of them are missing
split_files.py    parts of one file, concatenated
split_zip.py      zips split into volumes, as one file
"""
