"""The verbs of ``kvtop`` that run without a screen: one module each.

Each has ``add_arguments(parser)`` and ``run(arguments) -> exit code``.
"""
