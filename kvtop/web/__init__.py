"""kvtop in a browser, through textual-serve (the extra ``web``)."""
