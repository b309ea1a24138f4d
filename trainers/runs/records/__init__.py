"""What a run leaves behind in its folder.

run_json.py      `run.json`: where it lies, and how it is read
record.py        that file and the files beside it, from the start of a run to its end
facts.py         what is known of a run before its first step, as the record has it
run_line.py      a line that tells how far a run has come
run_log.py       lines that are written step by step: metrics, rows left out, the log
requirements.py  versions of packages, the commit, the device
curves.py        the metrics drawn on a page: `curves.html`, `curves.css`
card.py          the model card
"""
