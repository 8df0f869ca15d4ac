# What the tests of `nolapse daemon` add to the scene: the daemon in the background, a service
# manager that notes what it is told, and waiting with a limit instead of sleeping. Sourced; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # scene.sh sets folder, tests read status

# start_daemon [COMMAND…]: a COMMAND runs it, in its own process. Sets daemon_pid; its log is the
# file daemon.log, anew with each start.
start_daemon() {
  mv -f "$folder/daemon.log" "$folder/daemon.log.before" 2>/dev/null
  "$@" "$NOLAPSE" --config "$folder/nolapse.toml" daemon >"$folder/daemon.log" 2>&1 </dev/null &
  daemon_pid=$!
  servers_started+=("$daemon_pid")
}

# within SECONDS COMMAND…: polls until the command succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || {
      printf 'not within the time: %s\n' "$*"
      tail -n 12 "$folder/daemon.log" 2>/dev/null
      return 1
    }
    sleep 0.05
  done
}

logged() { grep -Eq -e "$1" "$folder/daemon.log"; }
ready() { logged 'looking after [0-9]+ certificate'; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# await_end PID SECONDS: sets status, and took in seconds; one that is late is killed.
await_end() {
  took=$SECONDS
  {
    within "$2" is_gone "$1" || kill -KILL "$1"
    wait "$1"
    status=$?
  } 2>/dev/null
  took=$((SECONDS - took))
  out=$(cat "$folder/daemon.log")
  said=
}

# start_manager: a service manager's socket, and the file `told` with all that it is told.
start_manager() {
  python3 - "$folder/notify" "$folder/told" <<'PY' &
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
with open(sys.argv[2], "a", buffering=1) as told:
    while True:
        told.write(listener.recv(4096).decode() + "\n")
PY
  servers_started+=("$!")
  within 10 test -S "$folder/notify"
}

told_manager() { grep -Eq -e "$1" "$folder/told"; }

# The newest generation is what nginx shows.
serves_newest() {
  local series=$folder/state/certificates/shop newest
  newest=$(find "$series" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -n | tail -n 1)
  equal "the served fingerprint" "$(fingerprint <"$series/$newest/fullchain.pem")" \
    "$(served_fingerprint "$https_port" shop.test)"
}

# add_certificate NAME: one more in the configuration, which nobody serves.
add_certificate() {
  cat >>"$folder/nolapse.toml" <<TOML
[[certificate]]
name      = "$1"
domains   = ["$1.test"]
endpoints = []
TOML
}
