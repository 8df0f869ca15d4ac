# Real servers for tests and for packaging/quickstart: Pebble with its DNS server, and nginx. All of
# them listen on loopback only, on ports found free, and keep everything below one folder.
# Sourced; bash. The caller traps EXIT with stop_servers; only processes started here are ended.
#
# Pebble validates for real and refuses one good nonce in twenty, as by default.
# shellcheck shell=bash disable=SC2034  # the sourcing file reads what is set here

servers_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
servers_started=()
ports_given=$servers_top/build/ports-given

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# A loopback port nobody listens on, below the range that the kernel hands out by itself.
free_port() {
  local port taken
  taken=" $(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk '{ sub(/.*:/, "", $2); print $2 }' | tr '\n' ' ') "
  mkdir -p "$ports_given" 2>/dev/null
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    case $taken in *" $(printf %04X "$port") "*) continue ;; esac
    # Of thirty at random two are the same in one run of thirty: each is given once an hour.
    [ -w "$ports_given" ] || break
    mkdir "$ports_given/$port" 2>/dev/null && break
    find "$ports_given" -mindepth 1 -maxdepth 1 -mmin +60 -exec rmdir {} + 2>/dev/null
  done
  echo "$port"
}

listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# start_server WHAT PORT LOG COMMAND…: sets server_pid once the port answers.
start_server() {
  local what=$1 port=$2 log=$3 tries=0
  shift 3
  "$@" >>"$log" 2>&1 </dev/null &
  server_pid=$!
  servers_started+=("$server_pid")
  until listens 127.0.0.1 "$port"; do
    tries=$((tries + 1))
    if ! kill -0 "$server_pid" 2>/dev/null || [ "$tries" -gt 200 ]; then
      tail -n 5 "$log" >&2
      die "$what did not start on port $port; its log is $log"
    fi
    sleep 0.05
  done
}

stop_server() {
  local tries=0
  kill "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then kill -KILL "$1" 2>/dev/null; fi
    sleep 0.05
  done
  wait "$1" 2>/dev/null || true
}

stop_servers() {
  local process
  for process in "${servers_started[@]}"; do stop_server "$process"; done
  servers_started=()
}

# self_signed FOLDER NAME [NAME…]: a throw-away pair, for an API or as the first one of a server. It
# lives for self_signed_days, or thirty.
self_signed() {
  local folder=$1 names=IP:127.0.0.1 name
  mkdir -p "$folder"
  for name in "${@:2}"; do names+=",DNS:$name"; done
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -days "${self_signed_days:-30}" -subj "/CN=$2" \
    -addext "subjectAltName=$names" -keyout "$folder/privkey.pem" -out "$folder/fullchain.pem" \
    2>/dev/null || die "openssl could not make a certificate in $folder"
}

# make_name_server_command ADDRESS:PORT MANAGEMENT: every name is 127.0.0.1. Sets
# name_server_command.
make_name_server_command() {
  local program options=(-dnsserver)
  find_pebble
  program=$(dirname "$NOLAPSE_PEBBLE")/pebble-challtestsrv
  if "$program" -h 2>&1 | grep -q -- -dns01; then options=(-dns01); fi
  options+=("$1")
  if "$program" -h 2>&1 | grep -q -- -doh; then options+=(-doh ""); fi
  name_server_command=("$program" "${options[@]}" -management "$2" -defaultIPv4 127.0.0.1
    -defaultIPv6 "" -http01 "" -https01 "" -tlsalpn01 "")
}

# start_name_server FOLDER: sets name_server and name_server_control.
start_name_server() {
  local port control
  port=$(free_port)
  control=$(free_port)
  make_name_server_command "127.0.0.1:$port" "127.0.0.1:$control"
  start_server "the name server" "$control" "$1/name-server.log" "${name_server_command[@]}"
  name_server=127.0.0.1:$port
  name_server_control=http://127.0.0.1:$control
}

# resolve_to NAME ADDRESS: from now on, and to no other.
resolve_to() {
  tell_name_server clear-a "{\"host\":\"$1\"}"
  tell_name_server add-a "{\"host\":\"$1\",\"addresses\":[\"$2\"]}"
}

tell_name_server() { curl -fsS --noproxy '*' -o /dev/null -d "$2" "$name_server_control/$1"; }

# Sets NOLAPSE_PEBBLE, unless it is given.
find_pebble() {
  [ -z "${NOLAPSE_PEBBLE-}" ] || return 0
  NOLAPSE_PEBBLE=$("$servers_top/tests/servers/fetch-pebble") || die "no Pebble to be had"
}

# start_pebble FOLDER HTTP_PORT: validates http-01 on that port. Sets ca_directory, ca_roots (of its
# API), ca_issuer_roots (of what it issues), ca_management and ca_log. Port 443 of its world is
# pebble_tls_port, where that is set. More members for its configuration are taken from
# pebble_settings, each with a comma behind it.
start_pebble() {
  local folder=$1 port management
  port=$(free_port)
  management=$(free_port)
  find_pebble
  self_signed "$folder/ca-api" localhost
  cat >"$folder/pebble.json" <<JSON
{"pebble": {${pebble_settings-}
  "listenAddress": "127.0.0.1:$port", "managementListenAddress": "127.0.0.1:$management",
  "certificate": "$folder/ca-api/fullchain.pem", "privateKey": "$folder/ca-api/privkey.pem",
  "httpPort": $2, "tlsPort": ${pebble_tls_port:-$(free_port)}, "certificateValidityPeriod": 7776000,
  "ocspResponderURL": "", "externalAccountBindingRequired": false,
  "retryAfter": {"authz": 1, "order": 1}
}}
JSON
  ca_log=$folder/pebble.log
  start_server Pebble "$port" "$ca_log" env PEBBLE_VA_SLEEPTIME=1 \
    "$NOLAPSE_PEBBLE" -strict -config "$folder/pebble.json" -dnsserver "$name_server"
  ca_pid=$server_pid
  ca_directory=https://localhost:$port/dir
  ca_management=https://127.0.0.1:$management
  ca_roots=$folder/ca-api/fullchain.pem
  ca_issuer_roots=$folder/ca-issuer-root.pem
  curl -fsS --noproxy '*' --cacert "$ca_roots" -o "$ca_issuer_roots" \
    "$ca_management/roots/0" ||
    die "Pebble did not tell its issuing root; its log is $ca_log"
}

# How many new orders Pebble was asked for and accepted.
orders_placed() { grep -c 'Added order' "$ca_log"; }

# write_nginx_configuration FOLDER NAME PORT [LINE]: one TLS server; LINE goes into its block.
write_nginx_configuration() {
  mkdir -p "$1/pairs" "$1/logs"
  cat >"$1/nginx.conf" <<CONF
pid $1/nginx.pid;
error_log $1/logs/error.log;
worker_processes 1;
daemon off;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path $1/logs/body;
  proxy_temp_path $1/logs/proxy;
  fastcgi_temp_path $1/logs/fastcgi;
  uwsgi_temp_path $1/logs/uwsgi;
  scgi_temp_path $1/logs/scgi;
  server {
    listen 127.0.0.1:$3 ssl;
    server_name $2;
    ssl_certificate     $1/pairs/${2%%.*}/fullchain.pem;
    ssl_certificate_key $1/pairs/${2%%.*}/privkey.pem;
    return 200 "nolapse\n";
    ${4-}
  }
}
CONF
}

nginx_program() {
  local program
  for program in /usr/sbin/nginx /usr/local/sbin/nginx /usr/bin/nginx; do
    if [ -x "$program" ]; then
      echo "$program"
      return
    fi
  done
  die "nginx is not installed"
}

# start_nginx FOLDER PORT [COMMAND…]: the command runs it as somebody else.
start_nginx() {
  local folder=$1 port=$2
  shift 2
  start_server nginx "$port" "$folder/logs/nginx.log" "$@" \
    "$(nginx_program)" -p "$folder" -c "$folder/nginx.conf" -e "$folder/logs/error.log"
  nginx_pid=$server_pid
}

# reload_nginx PID: what its configuration says now is in force when this returns. The workers from
# before answer for a moment longer.
reload_nginx() {
  local tries=0 old
  mapfile -t old < <(pgrep -P "$1")
  kill -HUP "$1"
  while kill -0 "${old[@]}" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || die "nginx does not reload"
    sleep 0.05
  done
}

# What openssl sees served: served_certificate PORT NAME; the fingerprint is lower-case hex.
served_certificate() {
  openssl s_client -connect "127.0.0.1:$1" -servername "$2" </dev/null 2>/dev/null
}

served_fingerprint() { served_certificate "$@" | fingerprint; }

fingerprint() {
  openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f'
}
