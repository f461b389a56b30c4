"""The parameters of a plan, and the model that validates them."""
