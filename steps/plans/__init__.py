"""Plans of backups and restores: the intended actions and the objections to them."""
