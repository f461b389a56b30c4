"""Whole lives of the operator, on an API server in memory and a clock of its own: each follows from its seed alone."""
