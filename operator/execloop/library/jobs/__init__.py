"""The plan `jobs`: a graph of Kubernetes Jobs, each run once for its inputs."""
