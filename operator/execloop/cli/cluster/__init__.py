"""Commands that talk to the Plans of a cluster."""
