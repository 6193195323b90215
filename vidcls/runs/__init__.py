"""The folder of a run: what its files are called, how it is found, and what a test found, written and read."""
