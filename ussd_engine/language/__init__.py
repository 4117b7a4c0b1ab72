"""The menu language: what a service is, how its file is read and checked, and how it is walked. All of it is pure."""
