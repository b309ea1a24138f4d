"""Human review: rows drawn at random on a page with players, and what the reviewers said of them.

options.py      the options of `review make` and `review read`
rows.py         what there is to review: predictions, rows of an export, or both side by side
draw.py         the random draw, also within strata
page.py         the page: `page.html`, `page.css`, `page.js`
answers.py      the CSV files that the page saves
agreement.py    shares with their intervals; the agreement of two reviewers
annotations.py  verdicts as annotations of samples
calls.py        `triptych.review_make` and `triptych.review_read`
"""
