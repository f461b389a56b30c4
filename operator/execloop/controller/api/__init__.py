"""The Plan resource: its models, its durations and the CRD that follows from them."""
