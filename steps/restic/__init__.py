"""The one door to restic: its process, environment, endings and locks. It knows no backup."""
