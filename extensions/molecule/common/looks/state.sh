#!/bin/sh
# Prints a line for each thing on this host that a run could change, another one if it changed.
set -eu
cd /
look() { find opt etc home -xdev \( -path '*/Logging' -o -path '*/Seats' -o -path 'home/*/.ansible' \) -prune -o "$@"; }
look -printf '%p %M %u:%g %l\n'
look -type f -exec sha256sum {} +
find /var/lib/aims-* -type f -name '*.db' -exec python3 -c '
import hashlib, sqlite3, sys
ledger = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(sys.argv[1], hashlib.sha256("\n".join(ledger.iterdump()).encode()).hexdigest())
' {} \; 2>/dev/null || true
systemctl show --property=Id,MainPID,ActiveState,UnitFileState 'aims-*'
