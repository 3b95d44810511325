"""One source of figures each. A collector emits events and never touches the screen."""
