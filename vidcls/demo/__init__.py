"""The whole way on built-in data, for a first look and as a check of an installation."""
