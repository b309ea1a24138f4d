"""The version of this package, on the lowest floor so that every file may import it."""

__version__ = "0.1.0"
