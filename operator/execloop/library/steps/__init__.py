"""The plan `steps`: a convergent procedure in YAML. Each step is a task exactly while its check does not hold."""
