"""What trainers read.

exports.py   one published version: its rows, its media, its manifest verified
"""
