"""Which backups a namespace has, which of them may go, and what was proved of them."""
