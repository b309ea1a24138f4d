"""Readers of training files: what other tools, and our own views, write for a trainer.

Each module reads one format, given as JSON Lines, a JSON array, CSV or Parquet, and has one function of interest:
`reshape(columns)`, which takes the columns it knows from a row and gives a `Shape` back. `records.py` does the rest,
the same way for all: columns that are called like a field of the sample fill that field, all others go to `extra`,
`--map COLUMN=FIELD` names what is called otherwise, and a row that cannot be understood is rejected with its line.

Nothing is guessed silently: where a row says two things at once (more tags than media, an answer that is also the
rejected one) it is rejected with a reason code.

    records.py        the loop they share; media, tags and what a row becomes
    turns.py          conversations, whatever the spelling
    preference.py     the rejected side of a pair
    msswift.py        MS-SWIFT
    conversation.py   ShareGPT, LLaMA-Factory, TRL
    alpaca.py         instruction, input, output
    qa.py             a question and its answer
    unified.py        our own plain rows
    termchunks.py     speech cut around terms
"""
