#!/bin/sh
# Prints what systemd says of the license server: whether it runs, and whether it does after a boot.
systemctl is-active aims-license-server.service
systemctl is-enabled aims-license-server.service
