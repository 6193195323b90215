"""Optical flow: computed, stored, read back, drawn."""
