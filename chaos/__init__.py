"""Campaigns that break the whole system in every way, and look at what is left: `make chaos`."""
