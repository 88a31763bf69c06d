#!/bin/sh
# Print a Python that the locked packages run on, the user's own first. If none fits, print the
# one there is: tools/preflight.py then says what is wrong with it.
for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
    if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
    then
        echo "$name"
        exit
    fi
done
command -v python3 || command -v python
