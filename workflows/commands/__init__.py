"""The commands for people, a module for each group, with the pages and listings that they print."""
