"""Media files.

media.py     files stored by the SHA-256 of their bytes
probe.py     codec, rate, frames and duration of a file
clip.py      a span decoded, or copied out of a longer file without decoding
packets.py   copying of packets
cut.py       clips that a view needs, cut once and cached
"""
