"""Archives as streams of raw files: members come one by one, in order, and memory stays flat.

reader.py         the way in: `members` of any archive, nested ones too, each a raw file or a rejection
safety.py         what is refused as a bomb, and the one judge of member names
decompress.py     gzip, bzip2 and xz as streams
tar.py            tar as a stream of entries
zip.py            zip as a list of entries, encrypted ones too
sevenzip.py       7z as a list of entries
openssl_enc.py    archives that `openssl enc` has encrypted, decrypted as they are read
part_names.py     rows of numbered names, and which of them are missing
split_files.py    parts that are one file, byte after byte
split_zip.py      zips cut into volumes, as one file
"""
