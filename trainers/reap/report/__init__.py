"""What is known before and after pruning.

coverage.py  what the rows told about the experts, and what they did not
cost.py      what pruning costs: perplexity by modality, scores on exports
page.py      both as a report for programs and as a page: `page.html`, `page.css`
"""
