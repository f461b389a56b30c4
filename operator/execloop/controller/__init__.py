"""The Kubernetes operator: the Plan resource, and the loop that converges each of them."""
