"""What retrieval is worth.

metrics.py   recall of terms that training has had and of others, and what is said where no term is
measure.py   these on held-out clips, while a model is trained and after
page.py      the page of them, with the sweep of thresholds: `scores.html`
scores.html  its template
"""
