"""The main job, seen: a plan on this machine, then a real API server, the operator, and Plans that it converges."""
