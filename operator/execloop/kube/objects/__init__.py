"""Objects of the Kubernetes API as plain dicts: read, compared, applied, judged by kstatus."""
