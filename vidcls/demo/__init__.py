"""The whole way on embedded data, for a first look and as a check of an installation."""
