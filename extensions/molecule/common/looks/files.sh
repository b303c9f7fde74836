#!/bin/sh
# files.sh FOLDER: prints how many files wait in a folder of requests, how many requests are done there, and how many responses.
set -eu
cd "$1"
find . -maxdepth 1 -type f | wc -l
find ./done -name '*.request' | wc -l
find ./done -name '*.response' | wc -l
