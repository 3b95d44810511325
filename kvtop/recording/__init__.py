"""A run as a file: written while it goes on, read again as the events that it was made of.

docs/recording.md describes the format. Nothing here knows of collectors or of the screen.
"""
