"""``kvtop diff``: what changed between two runs, what of it is noise, and whether a gate fails."""
