"""A run on this machine, as its page shows it."""
