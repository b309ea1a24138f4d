"""Options: each is defined once, and commands, functions, records and docs are derived from it.

model.py      models of options, their parameters, and how given values are converted and checked
calls.py      calls from Python: signatures, the types of arguments, and their names in errors
arguments.py  the options of each function, for static checkers; generated
"""

from .calls import described_by, from_python
from .model import Option, Options, Parameter, flag_of, parameters, split_commas

__all__ = [
    "Option",
    "Options",
    "Parameter",
    "described_by",
    "flag_of",
    "from_python",
    "parameters",
    "split_commas",
]
