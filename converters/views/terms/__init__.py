"""Term chunks: the parts of utterances that name the terms of a glossary, and parts that name none.

glossary.py     the glossary and its aliases, as files, and what is found with them
chunk_type.py   what rows say of a chunk
chunks.py       the chunks of one utterance, from the times of its words
roles.py        which terms and chunks are tested, and what training must not have then
expansion.py    the chunks of all selected samples as rows to be made
certificate.py  what a version promises of its terms, read from its rows
"""
