"""What views ask a model, in words: `prompts.yaml`, by task, modality and language."""
