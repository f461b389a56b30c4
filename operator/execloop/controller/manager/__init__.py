"""The process: its start, its Lease, its probes, metrics and logs, and its end."""
