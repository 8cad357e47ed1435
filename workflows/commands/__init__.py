"""The commands of people, a module for each of their errands, with the pages and listings that these print."""
