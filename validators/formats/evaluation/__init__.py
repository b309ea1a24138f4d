"""Files that models are evaluated on.

evaluation_list.py    rows of Qwen2-Audio's evaluation scripts
evaluation_items.py   items of benchmarks such as MMAU and MMAR
evaluation_chat.py    rows of Qwen2-Audio's chat evaluation
challenge.py          submissions to the Audio Reasoning Challenge
"""
