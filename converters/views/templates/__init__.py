"""Prompts that views put into user turns: `prompts.yaml`, by task, modality and language."""
