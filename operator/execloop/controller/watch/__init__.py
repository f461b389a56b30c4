"""From the API server to the work queue: streams, the cache of Plans, the objects that Plans name or own."""
