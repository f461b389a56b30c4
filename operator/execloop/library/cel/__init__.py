"""Expressions in the Common Expression Language: compiled and type-checked once, evaluated within bounds."""
