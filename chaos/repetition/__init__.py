"""How messages come again: the parts of the campaign `repeats`."""
