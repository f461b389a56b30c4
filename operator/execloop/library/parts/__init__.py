"""Plans within a plan: each has a name, a state and an inventory of its own, and parameters that are checked."""
