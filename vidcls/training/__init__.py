"""Losses, score fusion, metrics and schedules."""
