"""The media of an export: what is there, what is made, and what is changed.

options.py         the options of changed sound
change.py          what is done to the sound of each row: factors drawn by hash
noise.py           where noise comes from: the store's clips, a folder, or made
plan.py            the media of each row: spans, channels, sound of videos, changed sound
missing_media.py   media files that do not exist
"""
