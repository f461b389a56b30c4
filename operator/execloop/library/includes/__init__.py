"""The plan `includes`: other plans with parameters, in order or side by side, as one Plan."""
