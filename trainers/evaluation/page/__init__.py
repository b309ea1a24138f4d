"""The page of an evaluation: scores with intervals, plots, the worst rows with players and differences.

page.py   the page from `Scores`: `page.html`, `page.css`
rows.py   the rows that are shown: the worst of each metric, with the difference of their texts
plots.py  what the plots show: intervals on one scale, how many rows have which score
"""
