"""Measures of a text against a reference.

metric.py        what a metric is: counts of pairs, and the score of their sums
alignment.py     which words stand for each other
edits.py         edit distance of words or characters: substitutions, deletions, insertions; error rates
chinese.py       Chinese text as it is read aloud
qwen2_audio.py   transcripts as Qwen2-Audio's script compares them
error_rates.py   word, character and phone error rates; equal phones at equal positions
completion.py    the chain of thought of a completion, and its answer
answers.py       right answers: equal, alike, or naming the right choice
vote.py          self-consistency: the final answer that most of several answers give, and what the vote is worth
ratings.py       what the ratings of a judge are counted as
bleu.py          BLEU
rouge.py         ROUGE-L
bert_score.py    BERTScore
choice.py        the metrics by name and by task
"""
