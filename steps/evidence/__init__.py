"""The record of a run, where it is kept, and to whom it is told."""
