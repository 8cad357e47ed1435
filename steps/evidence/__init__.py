"""The record of a run, where it is kept, and how it is sent as a notification."""
