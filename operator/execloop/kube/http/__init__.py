"""Requests to the API server: sessions, retries, paths, errors."""
