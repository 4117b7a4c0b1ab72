"""What the system can do on this machine: `make bench`."""
