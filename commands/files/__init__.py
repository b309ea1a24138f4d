"""Commands about files for training.

export.py     `export`: publish a version of a view
exports.py    `exports`: the published versions
convert.py    `convert`: file to file, without a store
validate_file.py   `validate-file`: a file against the rules of the program that is to read it
"""
