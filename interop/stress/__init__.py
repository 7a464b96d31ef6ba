"""Many connections at once, and many starts and stops, of the broker as it ships (README.md)."""
