"""What Triptych costs, measured beside the limit of the machine and beside its peers; see benchmarks/README.md."""
