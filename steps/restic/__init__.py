"""The one door to restic: a repository's Secret, its process, what its end means, its locks. It knows no backup."""
