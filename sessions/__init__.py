"""What the engine remembers of a dialogue between two turns; only what may be lost."""
