"""The one door to restic: a repository's Secret, the process and its environment, answers, locks. It knows no backup."""
