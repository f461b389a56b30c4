"""Built-in plans, a folder each, and what they share."""
