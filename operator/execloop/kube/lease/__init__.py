"""The Leases of the operator: one that a leader holds, or one for each range of Plans."""
