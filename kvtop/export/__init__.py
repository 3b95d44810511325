"""Writers of a profile: SVG, folded text. They import only the profile."""
