#!/bin/sh
# Become a Redis, as its own user, with the passwords of two others: mqtt, which is the
# broker and reads, and admin, who fills it. They are in no argument and no environment.
set -eu
exec setpriv --reuid=redis --regid=redis --init-groups redis-server - <<END
dir /data
appendonly yes
user default off
user admin on >$(cat /run/secrets/redis-admin) ~* &* +@all
user mqtt on >$(cat /run/secrets/redis) ~mqtt:* &mqtt-changes +get +smembers +ping +subscribe
END
