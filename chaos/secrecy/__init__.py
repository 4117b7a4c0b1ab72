"""Where secrets could be written down, and how they are looked for: the parts of the campaign `canary`."""
