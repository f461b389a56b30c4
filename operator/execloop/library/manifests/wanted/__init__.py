"""What the plan wants: its parameters, and each object as it is to be."""
