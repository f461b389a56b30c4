"""Objects of the Kubernetes API as plain dicts: read, compared, applied, and their health by kstatus."""
