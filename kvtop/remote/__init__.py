"""``--ssh``: the collectors run on another machine, the screen here.

`session` is the side with the screen, `agent` the one on the host; `messages` is what they say to
each other, over the standard input and output of one ``ssh``.
"""
