"""The parameters of a Plan: read from ConfigMaps and Secrets, merged, fingerprinted."""
