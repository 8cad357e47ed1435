"""The phases as commands, in their order: what runs in a pod."""
