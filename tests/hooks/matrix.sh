# The matrix that every deploy hook goes through, with a private instance of the real service: first
# install, renewal, broken server configuration, reload fails, server down, key mismatch, hook
# killed half-way, disk full at the target, power loss between install and reload. Sourced; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # the sourcing file reads and sets variables
#
# In every cell what is served is a whole pair, the former certificate stays or comes back, exit
# status and message are true, and recovery needs nobody: once the cause is gone, the same two calls
# (install, reload) succeed with nothing in between.
#
# A test calls matrix_begin SERVICE, then defines:
#
#   settings            array: matrix_begin fills it with what all hooks get, add the hook's own
#   start_service       starts the instance on $port and sets server_pid (start_server does both)
#   break_configuration, mend_configuration   so that the server's own test refuses it
#   break_reload, mend_reload                 the test passes, and yet the reload does not succeed
#   broken_message, reload_message, down_message    patterns: what the hook says in these cells
#   reload_status       its exit status where the reload fails: 1, or 75 where time may cure it
#
# and where the defaults do not fit: starttls (a protocol of s_client), certificate_file and
# key_file (the installed pair), stop_service and kill_service, reload_may_refuse=yes (the service
# accepts no connections for a moment), start_service_first (runs without a certificate),
# reads_at_any_moment=yes (its new processes take a new pair without a reload). Then it calls
# run_matrix "$@" (so that one cell can be run by hand: tests/hooks/nginx disk_full), adds its own
# sentences, calls run_interface, and ends with finish.
#
# The whole test runs in a mount namespace of its own, in which $target is a small file system that
# can be filled up. Where that is not allowed (not root, some containers) the cell is skipped.

if [ -z "${MATRIX_OWN_MOUNTS-}" ] && unshare --mount true 2>/dev/null; then
  MATRIX_OWN_MOUNTS=yes exec unshare --mount --propagation private -- "$0" "$@"
fi

matrix_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../sentences.sh
. "$matrix_here/../sentences.sh"
# shellcheck source=../servers/servers.sh
. "$matrix_here/../servers/servers.sh"

# matrix_begin SERVICE [NAME]: sets hook, folder, target ($folder/NAME), port and settings, and
# issues four pairs.
matrix_begin() {
  local number
  hook=$(cd "$matrix_here/../../deploy-hooks" && pwd)/$1
  folder=$(mktemp -d)
  target=$folder/${2:-target}
  trap matrix_end EXIT
  trap 'exit 1' HUP INT TERM
  chmod 755 "$folder"    # a service may give up root
  mkdir "$folder/tmp" "$target"
  target_is_small=no
  if [ -n "${MATRIX_OWN_MOUNTS-}" ] &&
    mount -t tmpfs -o size=2m,nr_inodes=128,mode=755 matrix "$target" 2>/dev/null; then
    target_is_small=yes
  fi
  port=$(free_port)
  certificate_file=$target/shop/fullchain.pem
  key_file=$target/shop/privkey.pem
  settings=(PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR="$folder/tmp" NOLAPSE_NAME=shop
    NOLAPSE_TARGET="$1")
  for number in 1 2 3 4; do self_signed "$folder/issued/$number" shop.test; done
}

# needs_root SENTENCE: for services whose processes change their user. Ends the test otherwise.
needs_root() {
  [ "$(id -u)" -ne 0 ] || return 0
  skip "$1" "only root can start it"
  finish
  exit
}

matrix_end() {
  stop_watching
  if [ -n "${service_pid-}" ]; then stop_service; fi
  service_pid=
  stop_servers
  [ "$target_is_small" = no ] || umount --lazy "$target"
  target_is_small=no
  rm -rf "$folder"
}

# run_matrix [CELL…]: all of them; by hand perhaps only the first and those named, and then the end.
run_matrix() {
  local cell
  offers=0
  if [ $# -gt 0 ]; then
    for cell in first_install "$@"; do "cell_$cell"; done
    finish
    exit
  fi
  cell_first_install
  cell_renewal
  cell_broken_configuration
  cell_reload_fails
  cell_server_down
  cell_key_mismatch
  cell_killed_half_way
  cell_disk_full
  cell_power_loss
}

# --- the hook

# run VERB [VARIABLE=VALUE…]: sets status, out and said (stderr). The hook inherits nothing.
run() {
  local verb=$1
  shift
  out=$(env -i "${settings[@]}" "$@" "$hook" "$verb" 2>"$folder/said")
  status=$?
  said=$(cat "$folder/said")
}

# generation N [FOLDER]: the variables that name it, with the pair of another one if so wished.
generation() {
  local from=$folder/issued/${2:-$1}
  given=(NOLAPSE_GENERATION="$1" NOLAPSE_FULLCHAIN="$from/fullchain.pem"
    NOLAPSE_PRIVKEY="$from/privkey.pem")
}

# The next generation: given names it, offered is the folder that its pair is from.
offer() {
  offers=$((offers + 1))
  offered=$((offers % 4 + 1))
  generation "$offers" "$offered"
}

# answered STATUS [LAST LINE]
answered() {
  if equal "the exit status" "$1" "$status"; then
    [ $# -lt 2 ] || equal "the last line" "$2" "${out##*$'\n'}"
  else
    printf '%s\n' "$said"
    false
  fi
}

# says PATTERN: to the operator.
says() { matches "the message" "$1" "$said"; }

# deploys: conditions of a deployment that succeeded. Sets status and the rest; in_use, if it did.
deploys() {
  run install "${given[@]}"
  answered 0 && pair_installed "$offered" || return
  run reload "${given[@]}"
  answered 0 && pair_served "$offered" && nothing_left_over
}

# recovers "sentence": the same two calls again. A function of its own, as ok runs a subshell.
recovers() {
  ok "$1" deploys
  in_use=$offered
}

# refused_pair: given is a pair whose key OpenSSL finds too small by default.
refused_pair() {
  mkdir -p "$folder/issued/weak"
  openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=shop.test \
    -keyout "$folder/issued/weak/privkey.pem" -out "$folder/issued/weak/fullchain.pem" 2>/dev/null
  generation $((offers + 1)) weak
}

# --- what is installed and served

issued_fingerprint() { fingerprint <"$folder/issued/$1/fullchain.pem"; }
installed() { fingerprint <"$certificate_file"; }
pair_installed() {
  equal "the installed pair" "$(issued_fingerprint "$1")" "$(installed)" && pair_is_whole
}

pair_is_whole() {
  equal "the public key of $key_file" \
    "$(openssl x509 -in "$certificate_file" -noout -pubkey 2>&1)" \
    "$(openssl pkey -in "$key_file" -pubout 2>&1)"
}

# What a client sees: the fingerprint of the leaf after a whole handshake, which proves that the
# service has the leaf's key; refused where nobody listens; else broken, and why.
served() {
  local reply
  if reply=$(timeout 5 openssl s_client ${starttls:+-starttls "$starttls"} \
    -connect "127.0.0.1:$port" -servername shop.test 2>&1 </dev/null); then
    fingerprint <<<"$reply"
  elif [[ $reply == *"Connection refused"* ]]; then
    echo refused
  else
    echo "broken: $(grep -m 1 error: <<<"$reply")"
  fi
}

pair_served() { equal "the served certificate" "$(issued_fingerprint "$1")" "$(served)"; }

# one_of_them_served: the one in use or the one offered.
one_of_them_served() { pair_served "$in_use" >/dev/null || pair_served "$offered"; }

nothing_left_over() {
  equal "what a run leaves in the folder of copies" "" \
    "$(find "$target" \( -name '.new*' -o -name .former -o -name .link \) -print)"
}

# watch, then watched "sentence": what clients saw all the while was a whole pair, and they were let
# in.
watch() {
  rm -f "$folder/enough"
  while [ ! -e "$folder/enough" ]; do
    served
    sleep 0.1
  done >"$folder/seen" &
  watcher=$!
}

stop_watching() {
  [ -n "${watcher-}" ] || return 0
  touch "$folder/enough"
  wait "$watcher"
  watcher=
}

watched() {
  stop_watching
  ok "$1" nothing_bad_seen
}

nothing_bad_seen() {
  local bad='broken|refused|^$'
  if [ "${reload_may_refuse-no}" = yes ]; then bad='broken|^$'; fi
  test -s "$folder/seen" && equal "what else clients saw" "" "$(grep -E "$bad" "$folder/seen")"
}

# --- the service

start() {
  start_service
  service_pid=$server_pid
}

stop_service() { stop_server "$service_pid"; }

# Everything of it at once, as when the power is lost.
kill_service() {
  local processes=$service_pid found=$service_pid
  while found=$(pgrep -P "${found//$'\n'/,}"); do processes+=$'\n'$found; done
  # shellcheck disable=SC2086  # a list
  {
    kill -KILL $processes
    wait "$service_pid"
  } 2>/dev/null
  while listens 127.0.0.1 "$port"; do sleep 0.02; done
}

# --- the cells

cell_first_install() {
  start_service_first && start
  offer
  break_configuration
  run check "${given[@]}"
  ok "first install: check says that the configuration is broken" answered 1
  run install "${given[@]}"
  ok "first install: into a broken configuration it fails" answered 1
  ok "first install: with the server's own words" says "$broken_message"
  ok "first install: and no pair is left where there was none" test ! -e "$certificate_file"
  mend_configuration
  rm -rf "$target"/shop* # what may stay: an empty folder, a lock
  run check "${given[@]}"
  ok "first install: check passes before there is a pair" answered 0 unchanged
  ok "first install: check leaves nothing" equal "the target" "" "$(find "$target" -mindepth 1)"
  run install "${given[@]}"
  ok "first install: it is a change" answered 0 changed
  ok "first install: the pair is where the service reads it" pair_installed "$offered"
  ok "first install: only the owner can read the key" \
    matches "the mode" '^[46]00$' "$(stat -Lc %a "$key_file")"
  run install "${given[@]}"
  ok "first install: the same call again changes nothing" answered 0 unchanged
  start_service_first || start
  run reload "${given[@]}"
  ok "first install: reload succeeds" answered 0
  ok "first install: the pair is served" pair_served "$offered"
  run check "${given[@]}"
  ok "first install: check passes afterwards, too" answered 0 unchanged
  in_use=$offered
}

start_service_first() { false; }

cell_renewal() {
  offer
  watch
  run install "${given[@]}"
  ok "renewal: install is a change" answered 0 changed
  run reload "${given[@]}"
  ok "renewal: reload succeeds" answered 0
  ok "renewal: when it returns, the new pair is served" pair_served "$offered"
  run install "${given[@]}"
  ok "renewal: a second install changes nothing" answered 0 unchanged
  in_use=$offered
  recovers "renewal: a second reload does no harm"
  watched "renewal: clients saw whole pairs all the while"
}

cell_broken_configuration() {
  break_configuration
  offer
  watch
  run check "${given[@]}"
  ok "broken configuration: check says so" answered 1
  run install "${given[@]}"
  ok "broken configuration: install fails" answered 1
  ok "broken configuration: with the server's own words" says "$broken_message"
  ok "broken configuration: the former pair is back" pair_installed "$in_use"
  ok "broken configuration: nothing half-done is left" nothing_left_over
  run reload "${given[@]}"
  ok "broken configuration: reload fails" answered 1
  ok "broken configuration: with the server's own words, too" says "$broken_message"
  ok "broken configuration: the service serves what it did" pair_served "$in_use"
  mend_configuration
  recovers "broken configuration: the same calls succeed once it is mended"
  watched "broken configuration: clients saw whole pairs all the while"
}

cell_reload_fails() {
  offer
  watch
  break_reload
  run install "${given[@]}"
  ok "reload fails: install succeeds" answered 0 changed
  run reload "${given[@]}"
  ok "reload fails: reload says so" answered "$reload_status"
  ok "reload fails: and why" says "$reload_message"
  if [ "${reads_at_any_moment-no}" = yes ]; then
    ok "reload fails: the service serves the former pair or the new one" one_of_them_served
  else
    ok "reload fails: the service serves what it did" pair_served "$in_use"
  fi
  mend_reload
  recovers "reload fails: the same calls succeed once it can"
  watched "reload fails: clients saw whole pairs all the while"
}

cell_server_down() {
  stop_service
  offer
  run install "${given[@]}"
  ok "server down: install succeeds" answered 0 changed
  run reload "${given[@]}"
  ok "server down: reload asks for a later try" answered 75
  ok "server down: and says what to do" says "$down_message"
  start
  ok "server down: it starts with the new pair" pair_served "$offered"
  recovers "server down: the same calls succeed once it runs"
}

cell_key_mismatch() {
  local right
  offer
  right=("${given[@]}")
  given+=(NOLAPSE_PRIVKEY="$folder/issued/$in_use/privkey.pem")
  watch
  run install "${given[@]}"
  ok "key mismatch: install fails" answered 1
  ok "key mismatch: the message names both files" \
    says "$in_use/privkey.pem is not the key of .*$offered/fullchain.pem"
  ok "key mismatch: the former pair stays" pair_installed "$in_use"
  ok "key mismatch: nothing half-done is left" nothing_left_over
  run reload "${given[@]}"
  ok "key mismatch: a reload serves what was served" pair_served "$in_use"
  given=("${right[@]}")
  recovers "key mismatch: the right key is taken"
  watched "key mismatch: clients saw whole pairs all the while"
}

# kill_hook SECONDS: starts install and reload, and kills everything that they started by then.
kill_hook() {
  local process
  # shellcheck disable=SC2016  # the inner shell's $0
  setsid env -i "${settings[@]}" "${given[@]}" \
    sh -c '"$0" install && "$0" reload' "$hook" >/dev/null 2>&1 &
  process=$!
  sleep "$1"
  kill -KILL -- "-$process" 2>/dev/null
  wait "$process" 2>/dev/null
}

# The delays are spread over the time that a whole run takes here. In every fourth round the service
# dies together with the hook.
cell_killed_half_way() {
  local begin part delay torn=
  offer
  begin=${EPOCHREALTIME/./}
  recovers "killed half-way: a whole run succeeds"
  local duration=$((${EPOCHREALTIME/./} - begin))
  watch
  for part in 0 1 2 3 4 5 6 7 8 9; do
    offer
    delay=$((duration * part / 10))
    delay=$((delay / 1000000)).$(printf %06d $((delay % 1000000)))
    kill_hook "$delay"
    pair_is_whole >/dev/null || torn+=" $delay: not whole;"
    if [ $((part % 4)) = 3 ]; then
      stop_watching
      nothing_bad_seen >/dev/null || torn+=" before $delay: $(sort -u "$folder/seen");"
      kill_service
      start
      watch
    fi
    one_of_them_served >/dev/null || torn+=" $delay: serves $(served);"
    deploys >"$folder/why" || torn+=" $delay: $(cat "$folder/why");"
    in_use=$offered
  done
  ok "killed half-way: a whole pair is left and served, and the next run finishes" \
    equal "what went wrong after (s)" "" "$torn"
  watched "killed half-way: clients saw whole pairs all the while"
}

# leave_room BLOCKS FILES: so much and no more fits into the target.
leave_room() {
  local number=0
  mkdir "$target/.filler"
  head -c 4M /dev/zero >"$target/.filler/blocks" 2>/dev/null
  truncate -s "-$(($1 * 4096))" "$target/.filler/blocks"
  while : 2>/dev/null >"$target/.filler/$number"; do number=$((number + 1)); done
  while [ "$2" -gt 0 ] && [ "$number" -gt 0 ]; do
    number=$((number - 1))
    rm "$target/.filler/$number"
    set -- "$1" $(($2 - 1))
  done
}

# Whatever fits: an install either is whole or did not happen.
cell_disk_full() {
  local room wrong='' failures=0 kept=$in_use
  if [ "$target_is_small" = no ]; then
    skip "disk full at the target" "no file system can be mounted here"
    return
  fi
  watch
  for room in "0 99" "1 99" "99 0" "99 1" "99 2" "99 3" "99 4"; do
    offer
    # shellcheck disable=SC2086  # two numbers
    leave_room $room
    run install "${given[@]}"
    if [ "$status" = 0 ]; then
      pair_installed "$offered" >"$folder/why" || wrong+=" ($room) $(cat "$folder/why");"
    else
      failures=$((failures + 1))
      { answered 1 && says "$full_message" && pair_installed "$kept" && nothing_left_over
      } >"$folder/why" || wrong+=" ($room) $(cat "$folder/why");"
    fi
    rm -rf "$target/.filler"
    run install "${given[@]}"
    { answered 0 && pair_installed "$offered"; } >"$folder/why" ||
      wrong+=" ($room) again: $(cat "$folder/why");"
    kept=$offered
  done
  ok "disk full: an install fails and says why, changes nothing, and succeeds afterwards" \
    equal "what went wrong with room for (blocks, files)" "" "$wrong"
  ok "disk full: it was" test "$failures" -ge 3
  ok "disk full: a first install fails as well and leaves nothing to read" first_install_fails
  offer
  run install "${given[@]}"
  leave_room 0 0
  run reload "${given[@]}"
  ok "disk full: a reload succeeds" answered 0
  ok "disk full: and the new pair is served" pair_served "$offered"
  run check "${given[@]}"
  ok "disk full: check says so" eval 'answered 1 && says "the disk under .* is almost full: 0 KiB"'
  rm -rf "$target/.filler"
  run check "${given[@]}"
  ok "disk full: and no more when there is room" answered 0
  mount -o remount,ro "$target"
  run check "${given[@]}"
  ok "read-only: check says so" eval 'answered 1 && says "cannot be written.*read-only"'
  mount -o remount,rw "$target"
  run check "${given[@]}" TMPDIR="$folder/nowhere"
  ok "no TMPDIR: check says what a rehearsal will want" \
    eval 'answered 1 && says "TMPDIR is |nowhere cannot be written"'
  recovers "disk full: the same calls succeed once there is room"
  watched "disk full: clients saw whole pairs all the while"
}

full_message='disk full|No space left|cannot be (written|created)'

first_install_fails() {
  local room result=0
  offer
  for room in "0 99" "99 0" "99 1" "99 2"; do
    # shellcheck disable=SC2086  # two numbers
    leave_room $room
    run install "${given[@]}" NOLAPSE_NAME=fresh
    answered 1 && says "$full_message" &&
      test ! -e "${certificate_file/shop/fresh}" || result=1
    rm -rf "$target/.filler" "$target"/fresh*
  done
  return "$result"
}

# Every file there is, except what the test and the service write.
everything() {
  find "$folder" \( -path "$folder/said" -o -path "$folder/logs" -o -path "$folder/seen" \) \
    -prune -o -print | sort
}

cell_power_loss() {
  offer
  run install "${given[@]}"
  ok "power loss: install succeeds" answered 0 changed
  kill_service
  run reload "${given[@]}"
  ok "power loss: a reload before the service is back asks for a later try" answered 75
  start
  ok "power loss: the service starts with the new pair" pair_served "$offered"
  recovers "power loss: the same calls succeed"
}

# run_interface: not of the matrix, but the same for every hook, on a service that runs and serves.
run_interface() {
  local before setting message
  generation 1
  before=$(everything)
  run check "${given[@]}"
  ok "check leaves no file" equal "the tree" "$before" "$(everything)"
  generation 1
  run rollback "${given[@]}"
  ok "a rollback goes back to the generation named" answered 0 changed
  ok "and it is served at once" pair_served 1
  ok "the current and the previous copy stay, no more" \
    equal "copies" 2 "$(find "$target/shop.d" -mindepth 1 -maxdepth 1 -type d | wc -l)"
  while IFS='|' read -r setting message; do
    run install "${given[@]}" "$setting"
    ok "$setting is refused in one line: $message" refused_with "$message"
  done <<TABLE
NOLAPSE_NAME=|NOLAPSE_NAME is not set
NOLAPSE_NAME=../etc|NOLAPSE_NAME is '../etc'
NOLAPSE_NAME=a/b|NOLAPSE_NAME is 'a/b'
NOLAPSE_GENERATION=-1|NOLAPSE_GENERATION is '-1'
NOLAPSE_GENERATION=|NOLAPSE_GENERATION is not set
NOLAPSE_FULLCHAIN=|NOLAPSE_FULLCHAIN is not set
NOLAPSE_PRIVKEY=/nowhere/key.pem|NOLAPSE_PRIVKEY is /nowhere/key.pem, which is not a file
NOLAPSE_FULLCHAIN=/etc/passwd|NOLAPSE_FULLCHAIN is /etc/passwd, which holds no certificate
$(bad_settings)
TABLE
  run deploy
  ok "an unknown verb is answered with 42" answered 42
  run ""
  ok "no verb at all is a usage error" answered 2
}

# run_without_openssl: the hook cannot compare key and certificate itself, so that the service's own
# test has to.
run_without_openssl() {
  local installed
  mkdir "$folder/programs"
  ln -s /usr/bin/* "$folder/programs/"
  ln -sf /usr/sbin/* "$folder/programs/"
  rm "$folder/programs/openssl"
  offer
  given+=(PATH="$folder/programs"
    NOLAPSE_PRIVKEY="$folder/issued/$((offered % 4 + 1))/privkey.pem")
  run rehearse "${given[@]}"
  ok "without openssl a rehearsal with the wrong key fails by the service's own test" answered 1
  installed=$(installed)
  run install "${given[@]}"
  ok "so does an install" answered 1
  ok "and the former pair is back" \
    equal "the installed pair" "$installed" "$(pair_is_whole && installed)"
  rm -r "$folder/programs"
}

# VARIABLE=VALUE|MESSAGE, one a line, of the hook's own settings.
bad_settings() { :; }

# One line that says what is wrong.
refused_with() {
  equal "the exit status" 2 "$status" || return
  equal "the number of lines" 1 "$(wc -l <"$folder/said")" || return
  grep -qF -e "$1" <<<"$said" || { echo "$said"; return 1; }
}
