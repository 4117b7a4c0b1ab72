"""How parts are slow, dead or flooded, and who is served meanwhile: the parts of `slow` and `floods`."""
