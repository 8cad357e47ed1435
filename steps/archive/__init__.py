"""What lies on a backup volume, and how it is sealed and opened."""
