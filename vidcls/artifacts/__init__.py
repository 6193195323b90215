"""One file for each video: whole or absent, and made from this source."""
