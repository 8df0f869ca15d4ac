# One healthy host for the faults, in namespaces of its own (see run): Knot, unbound, Pebble behind
# the conformance cases' fault proxy, nginx and the daemon have the real ports 53, 80 and 443 there,
# and what is mounted or left running is gone with it. The CA stays while the host is put back to
# how it was for the next fault. Sourced by one_scene; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # set-ups, faults and servers.sh set the rest

faults=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$faults/../.." && pwd)
# shellcheck source=../conformance/scene.sh
. "$faults/../conformance/scene.sh"
# shellcheck source=../end_to_end/daemon_scene.sh
. "$faults/../end_to_end/daemon_scene.sh"

http_port=80
https_port=443
knot_port=53
pebble_tls_port=443
export PEBBLE_AUTHZREUSE=0 # each order asks for its own proof
# How often the daemon checks, and how long it may take to tell: a cycle, give or take a quarter,
# and the check itself.
cycle=${FAULTS_CYCLE:-2s}
cycle_limit=${FAULTS_CYCLE_LIMIT:-20}

# open_scene SCENE SETUP: sets folder (the host), ca_folder and zone_folder. The servers run, there
# is no certificate yet.
open_scene() {
  scene=$1
  folder=$scene/host
  ca_folder=$scene/ca
  zone_folder=$scene/dns
  ip link set lo up || die "this namespace has no loopback"
  mkdir -p "$folder"/{pairs,logs,webroot} "$ca_folder" "$zone_folder/zones"
  chmod 755 "$scene"
  cp -r "$top/deploy-hooks" "$folder/hooks"
  # Wherever the host's programs look for secrets of root's, they find none of this machine's.
  export HOME=$folder/home
  mkdir "$HOME"
  services=()
  addresses='127.0.0.1 ::1'
  records=()
  secondary_looks=1 # every so many seconds
  ! declare -F "prepare_$2" >/dev/null || "prepare_$2"
  start_names
  start_ca
  "setup_$2"
  host_begins=${#servers_started[@]}
  start_services
}

# What every name of the zone begins with, unless the set-up has other addresses or more records.
start_names() {
  local address type lines=()
  for address in $addresses; do
    type=A
    [[ $address != *:* ]] || type=AAAA
    lines+=("@ $type $address" "www $type $address")
  done
  write_zone "$zone_folder/zones/shop.test" shop.test 'ns1 A 127.0.0.1' 'ns1 AAAA ::1' \
    'ns2 A 127.0.0.2' "${lines[@]}" "${records[@]}"
  sed -i "/ SOA /s/ 1 4 2 / 1 $secondary_looks $secondary_looks /" "$zone_folder/zones/shop.test"
  start_knot "$zone_folder" hmac-sha256 shop.test
  resolver_pid=$server_pid
  cp "$tsig_key_file" "$folder/tsig.key"
}

start_ca() {
  start_pebble "$ca_folder" "$http_port"
  upstream=${ca_directory#https://}
  upstream=127.0.0.1:${upstream##*:}
  upstream=${upstream%/dir}
  upstream_roots=$ca_roots
  directory_path=/dir
  log=$ca_folder/requests
  at_the_ca rules '[]'
  at_the_ca start_proxy "$servers/api"
}

# at_the_ca COMMAND…: rules, always and once, said to the proxy.
at_the_ca() {
  local folder=$ca_folder
  "$@"
}

# start_another_ca: the same CA at another address, for which at_another_ca has rules. Sets
# another_directory.
start_another_ca() {
  local directory proxy_port proxy_pid log=$scene/another-ca/requests
  mkdir -p "$scene/another-ca"
  at_another_ca rules '[]'
  at_another_ca start_proxy "$servers/api"
  another_directory=$directory
}
at_another_ca() {
  local folder=$scene/another-ca
  "$@"
}

# another_ca: its table; it is called "second".
another_ca() {
  cat <<TOML
[[ca]]
name         = "second"
directory    = "$another_directory"
staging      = "$another_directory"
roots        = "$servers/api/fullchain.pem"
issuer_roots = "$ca_issuer_roots"
rate_limits  = "none"
terms_of_service_agreed = true
TOML
}

# configure TABLE…: the tables of the set-up below what all have. What a set-up wants otherwise it
# sets: staging, rate_limits; ca_more stands below the CA.
configure() {
  cp "$servers/api/fullchain.pem" "$folder/ca-api-roots.pem"
  cp "$ca_issuer_roots" "$folder/issuer-roots.pem"
  local channel
  for channel in mail pager; do
    printf '#!/bin/sh\ncat >>%s/told-by-%s\n' "$folder" "$channel" >"$folder/$channel"
    chmod +x "$folder/$channel"
  done
  cat >"$folder/nolapse.toml" <<TOML
state_dir = "$folder/state"
contact   = ["mailto:ops@shop.test"]
resolver  = "$name_server"
[daemon]
check_interval = "$cycle"
deep_check_interval = "$cycle"
[[ca]]
name         = "pebble"
directory    = "$directory"
staging      = "${staging-$directory}"
roots        = "$folder/ca-api-roots.pem"
issuer_roots = "$folder/issuer-roots.pem"
rate_limits  = ${rate_limits-\"none\"}
terms_of_service_agreed = true
${ca_more-}
$(printf '%s\n' "$@")
[alerts]
[[alerts.channel]]
name    = "mail"
type    = "exec"
program = "$folder/mail"
[[alerts.channel]]
name    = "pager"
type    = "exec"
program = "$folder/pager"
TOML
}

# A table each. certificate LINE…: named shop, of the challenge proof; a line replaces the one of
# its key.
webroot_challenge() {
  printf '[challenge.proof]\ntype = "http-01"\nwebroot = "%s"\n' "$folder/webroot"
}
listening_challenge() { printf '[challenge.proof]\ntype = "http-01"\nlisten = "[::]:80"\n'; }
zone_challenge() {
  cat <<TOML
[challenge.proof]
type          = "dns-01"
provider      = "rfc2136"
server        = "127.0.0.1:53"
tsig_key_file = "$folder/tsig.key"
propagation_timeout = "30s"
$(printf '%s\n' "$@")
TOML
}

certificate() {
  local line lines=('name = "shop"' 'domains = ["shop.test", "www.shop.test"]'
    'challenge = "proof"' 'deploy = ["nginx"]' 'endpoints = ["shop.test:443"]')
  printf '[[certificate]]\n'
  printf '%s\n' "$@"
  for line in "${lines[@]}"; do
    printf '%s\n' "$@" | grep -q "^${line%% *} " || echo "$line"
  done
}

nginx_target() {
  cat <<TOML
[deploy.nginx]
hook = "$folder/hooks/nginx"
$(printf '%s\n' "$@")
[deploy.nginx.env]
NGINX_BIN          = "$(nginx_program)"
NGINX_CONF         = "$folder/nginx.conf"
NGINX_PREFIX       = "$folder"
NGINX_CERTIFICATES = "$folder/pairs"
TOML
}

# serve SERVER…: nginx with these servers, each a text. The first pair is self-signed.
serve() {
  local name
  cat >"$folder/nginx.conf" <<CONF
user $(id -un) $(id -gn);
pid $folder/nginx.pid;
error_log $folder/logs/error.log;
worker_processes 1;
daemon off;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $folder/logs/body;
$(for name in proxy fastcgi uwsgi scgi; do echo "  ${name}_temp_path $folder/logs/$name;"; done)
$(printf '%s\n' "$@")
}
CONF
  self_signed "$folder/first" shop.test www.shop.test
  [ -e "$folder/pairs/shop" ] || ln -s "$folder/first" "$folder/pairs/shop"
}

# listening PORT [WORD]: at each of the name's addresses.
listening() {
  local address
  for address in $addresses; do
    if [[ $address == *:* ]]; then address="[$address]"; fi
    echo "    listen $address:$1${2:+ $2};"
  done
}

# plain_server [LINE…]: at port 80; without lines it shows the webroot.
plain_server() {
  [ $# -gt 0 ] || set -- "root $folder/webroot;"
  printf '  server {\n%s\n%s\n  }\n' "$(listening 80)" "$(printf '    %s\n' "$@")"
}

# tls_server [NAME…]: at port 443, or https_port, with the pair that the hook installs.
tls_server() {
  [ $# -gt 0 ] || set -- shop.test www.shop.test
  cat <<CONF
  server {
$(listening $https_port ssl)
    server_name $*;
    ssl_certificate     $folder/pairs/shop/fullchain.pem;
    ssl_certificate_key $folder/pairs/shop/privkey.pem;
    return 200 "the shop\n";
  }
CONF
}

# start_web, start_tls_web: where nginx has port 443 alone.
start_web() { start_web_at 80; }
start_tls_web() { start_web_at 443; }
start_web_at() {
  if [[ " $addresses " == *" 127.0.0.1 "* ]]; then
    start_nginx "$folder" "$1"
  else
    nginx -p "$folder" -c "$folder/nginx.conf" -e "$folder/logs/error.log" &
    nginx_pid=$!
    servers_started+=("$nginx_pid")
    within 10 listens ::1 "$1"
  fi
}

start_services() {
  local service
  for service in "${services[@]}"; do "$service"; done
}

# obtain: the first certificate, deployed and seen, as an operator would have it; and a rehearsal.
# Then everything is kept as it is, for restore.
obtain() {
  run renew
  exited 0 || return
  run rehearse
  exited 0
}

keep() {
  cp -a "$folder" "$scene/host.kept"
  knotc -c "$zone_folder/primary/knot.conf" -b zone-flush >/dev/null 2>&1
  cp -a "$zone_folder" "$scene/dns.kept"
}

# restore: the host as it was kept, and the CA without rules.
restore() {
  local process
  clock=()
  kill_daemon
  # The shell would tell of those that do not end by themselves.
  {
    for process in "${servers_started[@]:host_begins}"; do kill -CONT "$process"; done
    for process in "$knot_pid" "$secondary_pid" "$resolver_pid" \
      "${servers_started[@]:host_begins}"; do
      stop_server "$process"
    done
  } 2>/dev/null
  servers_started=("${servers_started[@]:0:host_begins}")
  awk -v scene="$scene/" 'index($2, scene) == 1 { print $2 }' /proc/mounts | xargs -r umount
  # A hook of the daemon's may have had something to end.
  rm -rf "$folder" "$zone_folder" 2>/dev/null || sleep 1
  rm -rf "$folder" "$zone_folder"
  cp -a "$scene/host.kept" "$folder"
  cp -a "$scene/dns.kept" "$zone_folder"
  at_the_ca rules '[]'
  [ ! -d "$scene/another-ca" ] || at_another_ca rules '[]'
  start_server Knot 53 "$zone_folder/primary/log" knotd -c "$zone_folder/primary/knot.conf"
  knot_pid=$server_pid
  start_secondary "$zone_folder"
  start_resolver_again
  start_services
}

# The key as knsupdate's -y wants it.
tsig_for_tools() {
  awk -F '"' '/^key/ { name = $2 } /secret/ { print "hmac-sha256:" name ":" $2 }' \
    "$zone_folder/tsig.key"
}

# change_zone COMMAND…: of knsupdate ("add NAME TTL TYPE DATA", "del NAME TYPE"), heard by both
# name servers when it returns.
change_zone() {
  printf '%s\n' "server 127.0.0.1 53" "zone shop.test." "$@" send |
    knsupdate -y "$(tsig_for_tools)" ||
    die "Knot refused: $*"
  wanted_serial=$(serial_at 127.0.0.1)
  knotc -c "$zone_folder/secondary/knot.conf" -b zone-retransfer shop.test >/dev/null 2>&1
  within 10 secondary_follows
}

secondary_follows() { [ "$(serial_at 127.0.0.2)" -ge "$wanted_serial" ]; }
start_resolver_again() {
  stop_server "$resolver_pid"
  start_server unbound "${name_server#*:}" "$zone_folder/unbound.log" \
    unbound -d -c "$zone_folder/unbound.conf"
  resolver_pid=$server_pid
}
serial_at() { kdig +short -p 53 "@$1" shop.test SOA | cut -d' ' -f3; }

# edit SED_COMMAND…: of the configuration; take_up: the daemon has it.
edit() { sed -i "$@" "$folder/nolapse.toml"; }
take_up() {
  kill -HUP "$daemon_pid"
  within 20 logged 'in force, with'
}

# add_table TEXT: at the end of the configuration.
add_table() { printf '%s\n' "$1" >>"$folder/nolapse.toml"; }

# nginx_reads SED_COMMAND…: another nginx.conf, in force when it returns.
nginx_reads() {
  sed -i "$@" "$folder/nginx.conf"
  reload_nginx "$nginx_pid"
}

# renew_in_vain: an attempt that has to fail.
renew_in_vain() {
  run renew --force --again
  ! exited 0
}

# days_later DAYS, minutes_later MINUTES: the daemon, and every command from now on, by that clock.
days_later() { at_another_time "+$1d"; }
minutes_later() { at_another_time "$1m"; }
at_another_time() {
  kill_daemon
  by_clock "$1"
  start_daemon "${clock[@]}"
}

# kill_daemon: at once, without a word of the shell.
kill_daemon() {
  {
    [ -z "$daemon_pid" ] || kill -KILL "$daemon_pid"
    [ -z "$daemon_pid" ] || wait "$daemon_pid"
  } 2>/dev/null
  daemon_pid=
}

# The CA has the host's new time, too, as far as its answers tell.
ca_tells_time_of_host() {
  local date
  date=$(http_date $(($(date +%s) + ${clock[2]#*=})))
  at_the_ca rules "[{\"on\": $endpoints, \"headers\": {\"Date\": \"$date\"}}]"
}

# mark_events, event CODE: one with that code since the mark.
mark_events() { events_before=$(cat "$folder"/state/events/*.jsonl 2>/dev/null | wc -l); }
new_events() { cat "$folder"/state/events/*.jsonl 2>/dev/null | tail -n "+$((events_before + 1))"; }
event() { new_events | grep -q "\"code\":\"$1\""; }
