"""``python -m vidcls`` is ``vidcls``."""

from vidcls.cli import entry

if __name__ == "__main__":
    entry()
