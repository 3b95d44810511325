"""``kvtop bench``: benchmarks of the store and the profile engine, their baseline and profiles."""
