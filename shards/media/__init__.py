"""Media files.

media.py     files stored by the SHA-256 of their bytes
probe.py     codec, rate, frames and duration of a file
clip.py      a span cut out of a longer file, by stream copy or by re-encoding
packets.py   finding, retiming and writing packets
cut.py       audio that a view needs, cut once and cached
"""
