#!/bin/sh
# seat.sh SERVER PROFILE: take a seat from a license server and give it back; print the status that the first was answered with.
set -eu
seat=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
url=http://$1:3400/v1/seats/$seat
curl --silent --show-error --max-time 10 --output /dev/null --write-out '%{http_code}' --request PUT \
  --header 'Content-Type: application/json' --data "{\"profile\": \"$2\", \"user\": \"AIMS\\\\zoe\", \"client\": \"verify\"}" "$url"
curl --silent --show-error --max-time 10 --output /dev/null --request DELETE "$url"
