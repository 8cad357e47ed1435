"""The signals of a process."""
