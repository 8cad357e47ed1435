"""The backups of a namespace: which exist, which of them retention deletes, and what was proved of them."""
