#!/bin/sh
# Prints the best interpreter: 3.13 or newer shows the cluster's own Python frames.
for name in python3.13 python3.14 python3.12 python3.11 python3 /usr/bin/python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$name"
        exit 0
    fi
done
echo "kvtop needs Python 3.11 or newer (3.13 for the cluster's own frames): install it with your package manager, pyenv or uv." >&2
exit 1
