"""One widget a file. Widgets read stores and draw; they never collect."""
