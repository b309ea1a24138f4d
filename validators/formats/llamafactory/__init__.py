"""LLaMA-Factory's formats, as version 0.9.5 treats them.

Three stages decide whether a row is used:

* load, `dataset_info.json` and the file: the whole dataset fails.
* convert, a row's turns: the row is dropped with a log line, or the whole load stops.
* encode, tags and media: the load of the whole dataset stops; nothing is dropped.

    dataset_info.py   the entry of a file in `dataset_info.json`
    problems.py       what can be wrong, and what LLaMA-Factory does about it
    turns.py          the rules of rows whose turns are in a list; of conversations in general
    sharegpt.py       conversations
    alpaca.py         instruction, input and output
    ranking.py        conversations with a chosen and a rejected answer
    kto.py            conversations with a label
"""
