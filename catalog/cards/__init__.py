"""The cards of the catalog: one YAML file a dataset, read by `catalog/registry.py`."""
