"""Verbs for who runs the operator."""
