"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A busy machine is no failure: timings belong to benchmarks/.
settings.register_profile("execloop", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("execloop")
