"""What a reconcile works on: the spec, the parameters, the objects that it waits for."""
