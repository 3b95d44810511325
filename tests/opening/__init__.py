"""Opening files."""
