"""Media files.

media.py     files stored by the SHA-256 of their bytes
integrity.py whether files are still what they were when they were stored
probe.py     codec, rate, frames and duration of a file
streams.py   opening a file: which streams are media, the names of their codecs
length.py    the length that a header declares for a stream
frames.py    the frames of MPEG audio and ADTS streams, counted
riff.py      what a WAV header declares, beside what the file contains
ogg.py       the pages of an Ogg file: its links, its length
sound.py     time in sound: seconds count from the first sound
clip.py      a span cut out of a longer file, by stream copy or by re-encoding
packets.py   finding, retiming and writing packets
augment.py   changed sound: speed, noise, gain
cut.py       media that a view needs, cut, converted or augmented once and cached
fence.py     foreign exceptions over one file become an error about that file
"""
