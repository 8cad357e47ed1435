"""A node's part: it finds the volumes of a pod, runs its container as a process and reports how it ended."""
