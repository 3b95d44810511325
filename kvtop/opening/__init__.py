"""Opens profiles that other programs, or kvtop itself, wrote to a file."""
