"""What keeps a Secret's values out of messages."""
