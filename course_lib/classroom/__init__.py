"""Running lessons and checking the machine: what instructors and the command line use."""
