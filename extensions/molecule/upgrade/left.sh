#!/bin/sh
# left.sh HOME: print what is left here of a license server's service, of its ports and of its package.
# list-unit-files fails where there is none
set -u
systemctl list-units --all --no-legend 'aims-*'
systemctl list-unit-files --no-legend 'aims-*'
systemctl --failed --no-legend
ss --listening --tcp --numeric --no-header 'sport = 3400 or sport = 3401'
ls -A "$1/Bin"
