"""The answers of the page: one module for each kind of page."""
