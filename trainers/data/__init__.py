"""The data that trainers read.

exports.py   one published version: its rows and media, verified against its manifest
outputs.py   what is written is none of the files that were read
"""
