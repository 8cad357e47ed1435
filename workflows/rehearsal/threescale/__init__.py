"""A sample 3scale installation with its files, and the operator that looks after it."""
