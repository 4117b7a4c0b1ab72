"""Octets changed at random against the SMPP layer: `python -m tests.fuzz --help`.

`mutation` makes a case of a seed and a number; `judge` holds what must be true of every case; `__main__` runs many.
"""
