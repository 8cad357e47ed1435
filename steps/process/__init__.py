"""What belongs to a whole process: its signals, and the options of its command line."""
