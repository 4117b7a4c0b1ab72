"""What attackers do, and how they are watched: the parts of the campaign `attackers`."""
