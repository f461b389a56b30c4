"""Commands that need no operator: they work on this machine."""
