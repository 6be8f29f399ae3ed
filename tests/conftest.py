"""What every test shares: Hypothesis draws the same examples at every run, and takes the time it needs."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, deadline=None)
settings.load_profile("same-every-time")
