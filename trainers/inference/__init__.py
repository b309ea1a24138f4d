"""Asking models: rows in, predictions out.

options.py         every option of `infer`
questions.py       what is asked: turns of text and clips
row_forms.py       the forms of rows that ask something, and the question of each
sources.py         where questions come from: clips, a prompt file, an export
prompts.py         system prompt, template of the user turn, few-shot examples
token_draw.py      how answers are drawn: greedy, sampling, beam; a seed for each answer
backends/          who answers: a model in this process, a server, a file
answerers.py       the backend that the options choose, and what rows record of it
done_rows.py       the rows that an earlier run answered, and whether it was asked the same
infer.py           the loop: batches, long clips, several samples and their vote, the file
result.py          what a run did, in counts
calls.py           `triptych.infer`
"""
