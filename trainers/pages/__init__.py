"""Self-contained HTML pages: one file that loads nothing and can be sent to a colleague.

document.py     a page from its template: style, script and the policy that allows just these
media.py        media that a browser plays, inside the page or beside it
line_chart.py   lines over steps as SVG
page.css        the style of all pages, for screens in light and dark, and for print
"""
