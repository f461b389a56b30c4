"""The Lease that one replica holds at a time."""
