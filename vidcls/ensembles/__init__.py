"""Trained and tested runs -> one that answers by all of them."""
