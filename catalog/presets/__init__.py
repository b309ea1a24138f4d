"""Named sets of datasets for one pull; a YAML file each."""
