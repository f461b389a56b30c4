"""Built-in plans, one a file."""
