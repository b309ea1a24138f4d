"""annotated."""
