"""Verbs for administrators of the operator."""
