"""A recorded run, or a profile, as a report: one HTML page that needs nothing else, or Markdown."""
