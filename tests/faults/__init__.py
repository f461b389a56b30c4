"""Faults made on purpose, for the real operator on a real API server."""
