"""Train, test and use video classifiers."""

__version__ = "0.1.0"
