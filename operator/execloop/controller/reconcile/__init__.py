"""The decisions: what one reconcile of one Plan does, and what follows from it."""
