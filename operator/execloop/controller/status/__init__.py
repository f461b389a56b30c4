"""What the operator writes: conditions, status, finalizers, Events."""
