"""The content of a backup volume, and how it is sealed and opened."""
