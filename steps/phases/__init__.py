"""The phases of the workflows. Each phase is a command that runs in a pod."""
