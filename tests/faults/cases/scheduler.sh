# Nobody looks after the certificates any more, or nobody may. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

minutes_ago() { date -u -d "$1 minutes ago" +%FT%TZ; }

a_fault 2.1 daemon_dead web HEARTBEAT_OLD "silent quick" "the daemon died 25 minutes ago"
daemon_dead() {
  kill_daemon
  minutes_ago 25 >"$folder/state/heartbeat"
}

a_fault 2.1 daemon_hangs web HEARTBEAT_OLD silent "the daemon hangs"
daemon_hangs() {
  kill -STOP "$daemon_pid"
  minutes_ago 25 >"$folder/state/heartbeat"
}

a_fault 2.1 daemon_never_ran web HEARTBEAT_OLD silent "the daemon never ran"
daemon_never_ran() {
  kill_daemon
  rm "$folder/state/heartbeat" "$folder/state/renewed.json"
}

a_fault 2.1 timer_stopped web HEARTBEAT_OLD silent \
  "there is no daemon, and the timer that renewed instead stopped three days ago"
timer_stopped() {
  kill_daemon
  rm "$folder/state/heartbeat"
  printf '{"schema":1,"at":"%s"}\n' "$(minutes_ago 4320)" >"$folder/state/renewed.json"
}

# Its heart beats: what beats is not what tests.
a_fault 2.1 self_tests_hang web SELF_TEST_OLD "silent unknown" \
  "the deep self-test has not ended for three days"
self_tests_hang() {
  local file=$folder/state/findings.json
  within 20 jq -e '.deep_checked_at != null' "$file" || return
  kill -STOP "$daemon_pid"
  jq --arg at "$(minutes_ago 4320)" '.deep_checked_at = $at' "$file" >"$folder/findings.json" &&
    cp "$folder/findings.json" "$file" && minutes_ago 0 >"$folder/state/heartbeat"
}

# put_units: as `cmake --install` leaves them; this machine's own are out of sight.
put_units() {
  local folder
  for folder in /usr/lib/systemd/system /etc/systemd/system; do
    mkdir -p "$folder"
    mount -t tmpfs none "$folder" || return
  done
  sed 's/@[A-Za-z_]*@/nolapse/g' "$top/packaging/systemd/nolapse.service.in" \
    >/usr/lib/systemd/system/nolapse.service
  sed 's/@[A-Za-z_]*@/nolapse/g' "$top/packaging/systemd/nolapse-watch.service.in" \
    >/usr/lib/systemd/system/nolapse-watch.service
  cp "$top/packaging/systemd/nolapse-watch.timer" /usr/lib/systemd/system/
}
enable_unit() {
  mkdir -p "/etc/systemd/system/$2.wants"
  ln -s "/usr/lib/systemd/system/$1" "/etc/systemd/system/$2.wants/$1"
}

a_fault 2.1 unit_disabled web UNIT_NOT_ENABLED alone "the service does not start at boot"
unit_disabled() {
  put_units && enable_unit nolapse-watch.timer timers.target
}

a_fault 2.1 watch_disabled web UNIT_NOT_ENABLED alone "nobody watches the heartbeat"
watch_disabled() {
  put_units && enable_unit nolapse.service multi-user.target
}

# hold_lock: a renewal that was stopped in the middle of it, with the daemon gone.
hold_lock() {
  kill_daemon
  at_the_ca rules '[{"on": "new_order", "delay": 600}]'
  "${clock[@]}" "$NOLAPSE" --config "$folder/nolapse.toml" renew --force >"$folder/holder.log" \
    2>&1 </dev/null &
  holder=$!
  servers_started+=("$holder")
  within 10 grep -q 'asking pebble' "$folder/holder.log"
}

a_fault 2.9 lock_of_stopped_command web LOCK_HELD silent "a stopped command has the lock for hours"
lock_of_stopped_command() {
  hold_lock || return
  kill -STOP "$holder"
  by_clock +7h
}

a_fault 2.9 lock_of_hanging_command web LOCK_HELD silent "a command waits for the CA for hours"
lock_of_hanging_command() {
  hold_lock && by_clock +7h
}
