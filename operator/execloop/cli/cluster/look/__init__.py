"""Verbs that show Plans."""
