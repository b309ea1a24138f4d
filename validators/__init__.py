"""Is it good? Checks measure samples, rules decide over the measurements, formats are held against their consumers.

validate.py    `triptych validate`: measure what was not measured yet, then decide over everything measured
checks/        one measurement of a sample a function; they decide nothing
rules.py       keep, warn or reject, with the reasons; the rules themselves are data, in `rules.yaml`
suite.py       expectations of the whole table, as a Great Expectations suite
report.py      the report: one HTML page that needs nothing but itself, out of `report.html`
formats/       `triptych validate-file`: what is wrong with a file that a consumer is to read
"""
