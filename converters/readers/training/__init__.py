"""Readers for training files, as written for trainers by other tools and by our own views.

Each module reads one format, as JSON Lines, a JSON array, CSV or Parquet, and has one main function:
`reshape(columns)`, which takes the columns it knows from a row and returns a `Shape`. `records.py` does the rest, the
same way for all: columns named like a field of the sample fill that field, all others go to `extra`,
`--map COLUMN=FIELD` maps columns with other names, and an invalid row is rejected with its line number.

Nothing is guessed silently: a contradictory row (more tags than media, an answer that is also the rejected one) is
rejected with a reason code.

    records.py        the shared loop; media, tags, and the resulting candidate
    turns.py          conversations in any common spelling
    message_keys.py   what messages say beside role and content: loss, reasoning, tool calls
    preference.py     the rejected side of a pair
    msswift.py        MS-SWIFT
    conversation.py   ShareGPT, LLaMA-Factory, TRL
    alpaca.py         instruction, input, output
    qa.py             a question and its answer
    unified.py        our own plain rows
    termchunks.py     speech cut around terms
"""
