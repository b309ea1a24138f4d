"""What is later found or decided about stored samples, as annotations.

align/   word and phone times, from an aligner
split/   splits in which groups are disjoint, with a certificate
"""
