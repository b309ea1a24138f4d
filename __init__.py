"""Triptych: audio and video datasets, from a name in a catalog to a trainer-ready view."""

__version__ = "0.1.0"
