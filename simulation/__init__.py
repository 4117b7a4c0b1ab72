"""The whole engine in a world that is made from one number: time, faults, subscribers and all."""
