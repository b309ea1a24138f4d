"""Budgets: how many tokens and frames a sample is in a model.

formulas.sql   the formulas, as DuckDB macros
models.py      the models, and the SQL that counts a sample
measure.py     files of which no header says enough
text.py        text tokens: templates and tokenizers
"""

from .models import COUNTS, FORMULAS, MODELS, Model, sample_budget_sql

__all__ = ["COUNTS", "FORMULAS", "MODELS", "Model", "sample_budget_sql"]
