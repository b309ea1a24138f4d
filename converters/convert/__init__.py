"""File to file without a store: `triptych convert`.

options.py      `ConvertOptions`
convert.py      one conversion from end to end
inputs.py       any format that `import` reads, as samples
rows.py         rows of a view, each held against the rules of the format
writer.py       the output; repeated ids
draw.py         which rows are drawn
merge_split.py  files merged, or split by modality, with their rows as they are
result.py       what a conversion did

Memory is flat but for 16 bytes a row, by which repeated ids are found.

An input is never written to; an output is written under a temporary name and renamed when it is whole. A row that has
no place in the output is a `Problem` with file and line.
"""
