"""alignments."""
