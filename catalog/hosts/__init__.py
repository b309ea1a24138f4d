"""`catalog check`: ask the hosts of a card's sources whether they have what the card says; no data is downloaded.

findings.py   what was found, fact by fact
hub.py        a hub repository: files, sizes, checksums, the columns of one Parquet file, licence tag, gate
addresses.py  single files: whether each is there, its size and type
check.py      all sources of one card
"""
