# A private HAProxy for the tests of deploy-hooks/haproxy; haproxy has its runtime API, and
# haproxy_without_socket has to be reloaded. Sourced; bash.
# shellcheck shell=bash disable=SC2034  # matrix.sh reads what is set here

# shellcheck source=matrix.sh
. "$(dirname "${BASH_SOURCE[0]}")/matrix.sh"

# begin_haproxy [LEVEL]: with a runtime API of that level.
begin_haproxy() {
  local socket_line=
  matrix_begin haproxy
  runtime=$folder/runtime
  [ $# -eq 0 ] || socket_line="stats socket $runtime level $1"
  configuration=$folder/haproxy.cfg
  certificate_file=$target/shop.pem
  key_file=$target/shop.pem
  settings+=(HAPROXY_CONF="$configuration" HAPROXY_CERTIFICATES="$target"
    HAPROXY_PID="$folder/haproxy.pid")
  cat >"$configuration" <<CFG
global
  $socket_line
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend shop
  bind 127.0.0.1:$port ssl crt $target/shop.pem
  http-request return status 200
CFG
}

start_service() {
  start_server HAProxy "$port" "$folder/haproxy.log" \
    haproxy -W -f "$configuration" -p "$folder/haproxy.pid"
}
break_configuration() { sed -i 's/timeout client/timeout klient/' "$configuration"; }
mend_configuration() { sed -i 's/timeout klient/timeout client/' "$configuration"; }
broken_message="'timeout' supports"
down_message='^HAProxy is not running; start it$'

# A port that is taken would do as well, but then HAProxy itself takes no connections for a second.
stop_master() { kill -STOP "$service_pid"; }
continue_master() { kill -CONT "$service_pid"; }
reload_status=75
reload_message='did not start a new worker in 10 s; see its log'

bad_settings() {
  cat <<'TABLE'
HAPROXY_BIN=/nowhere/haproxy|HAPROXY_BIN is /nowhere/haproxy, which is not an executable file
HAPROXY_CONF=/nowhere/haproxy.cfg|/nowhere/haproxy.cfg is missing or unreadable; set HAPROXY_CONF
HAPROXY_CERTIFICATES=relative/path|HAPROXY_CERTIFICATES is 'relative/path'
TABLE
}
