"""The one door to a Redis server, and the portable form of its keys. It knows no backup."""
