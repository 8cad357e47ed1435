"""The commands of people, a room for each of their errands; `workflows/__main__.py` puts them together."""
