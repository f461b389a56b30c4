"""Verbs that ask the operator for something."""
