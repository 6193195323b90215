"""A configuration and a space of settings -> the settings that validate best, and one test of them."""
