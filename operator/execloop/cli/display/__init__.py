"""How a run is shown: lines, a live tree, tracebacks."""
