"""Validation: checks measure samples, rules decide on the measurements, formats are validated for their consumers.

validate.py       `triptych validate`: measure new samples, then decide on every measured sample
changed_media.py  samples whose files are gone or changed, to be measured again
checks/           one function per measurement of a sample; checks decide nothing
repeats.py        content that is stored more than once, in any dataset; what the rules on repeats read
rule_choice.py    which rules decide on a dataset: those given, else those that decided last
rules.py          keep, warn or reject, with the reasons; the rules themselves are data, in `rules.yaml`
suite.py          expectations of the whole table, as a Great Expectations suite
report.py         the report: one self-contained HTML page, rendered from `report.html`
formats/          `triptych validate-file`: problems in a file for a consumer such as a trainer
consumers/        `--verify`: what the consumers themselves make of a file
"""
