"""File to file without a store: `triptych convert`.

options.py      `ConvertOptions`
convert.py      one conversion from end to end
inputs.py       any format that `import` reads, as samples
rows.py         rows of a view, each validated against the rules of the format
writer.py       the output files; detection of duplicate ids
merge_split.py  merge files, or split them by modality, without changing rows
result.py       counts and problems of a conversion

Memory use is constant except for 16 bytes per row, by which duplicate ids are detected.

Inputs are never modified; an output is written under a temporary name and renamed when complete. A row that cannot be
converted is a `Problem` with file and line.
"""
