"""What both sides of a workflow agree on: the words of arguments, and fixed names."""
