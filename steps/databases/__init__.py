"""The databases of an installation: where they are, and their copies in a backup."""
