"""The commands, a file a subject; every one is a few lines over a function of the API."""
