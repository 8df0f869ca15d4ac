# Knot as the zone's name servers: a primary that takes signed updates and a secondary that hears of
# them late; before them unbound as everybody's resolver. Sourced after servers.sh; bash. All listen
# on loopback only: 127.0.0.1 and, where there is one, ::1; the secondary on 127.0.0.2, both at the
# same port.
# shellcheck shell=bash disable=SC2034,SC2154  # variables come from, and go to, other files

# write_zone FILE NAME [RECORD…]
write_zone() {
  local file=$1 name=$2 record
  shift 2
  {
    echo "\$ORIGIN $name."
    echo "\$TTL 60"
    # The secondary looks for changes every four seconds.
    echo "@ SOA ns1.shop.test. hostmaster.shop.test. 1 4 2 86400 60"
    echo "@ NS ns1.shop.test."
    echo "@ NS ns2.shop.test."
    for record in "$@"; do echo "$record"; done
  } >"$file"
}

# start_knot FOLDER ALGORITHM ZONE…: zone files lie in FOLDER/zones/ZONE. Listens on knot_port where
# that is set. Sets name_server, dns_port, tsig_key_file, knot_pid and secondary_pid.
start_knot() {
  local folder=$1 algorithm=$2 zone also=
  shift 2
  # What is above them is asked for CAA records, too.
  write_zone "$folder/zones/test" test
  set -- test "$@"
  dns_port=${knot_port:-$(free_port)}
  tsig_key_file=$folder/tsig.key
  keymgr -t nolapse "$algorithm" >"$folder/knot.key"
  # The same key, as BIND's tsig-keygen writes it.
  awk '$1 == "-" && $2 == "id:" { id = $3 } $1 == "algorithm:" { a = $2 } $1 == "secret:" { s = $2 }
    END { printf "key \"%s\" {\n\talgorithm %s;\n\tsecret \"%s\";\n};\n", id, a, s }' \
    "$folder/knot.key" >"$tsig_key_file"
  chmod 600 "$tsig_key_file"
  if has_ipv6; then also=", ::1@$dns_port"; fi
  mkdir -p "$folder/primary" "$folder/secondary"
  {
    knot_server "$folder/primary" "127.0.0.1@$dns_port$also"
    cat "$folder/knot.key"
    printf 'acl:\n  - id: update\n    key: nolapse\n    action: update\n'
    printf '  - id: transfer\n    address: 127.0.0.0/8\n    action: transfer\nzone:\n'
    for zone in "$@"; do
      printf '  - domain: %s\n    file: %s\n    acl: [update, transfer]\n' "$zone" \
        "$folder/zones/$zone"
    done
  } >"$folder/primary/knot.conf"
  {
    knot_server "$folder/secondary" "127.0.0.2@$dns_port"
    printf 'remote:\n  - id: primary\n    address: 127.0.0.1@%s\nzone:\n' "$dns_port"
    for zone in "$@"; do
      printf '  - domain: %s\n    master: primary\n    zonefile-load: none\n' "$zone"
    done
  } >"$folder/secondary/knot.conf"
  start_server Knot "$dns_port" "$folder/primary/log" knotd -c "$folder/primary/knot.conf"
  knot_pid=$server_pid
  start_secondary "$folder"
  start_resolver "$folder" "$@"
}

# start_resolver FOLDER ZONE…: remembers nothing. Sets name_server.
start_resolver() {
  local folder=$1 port zone
  shift
  port=$(free_port)
  cat >"$folder/unbound.conf" <<CONF
server:
  directory: ""
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  interface: 127.0.0.1
  port: $port
  do-ip6: no
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "iterator"
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  local-zone: "test." nodefault
remote-control:
  control-enable: no
CONF
  for zone in "$@"; do
    printf 'stub-zone:\n  name: "%s"\n  stub-addr: 127.0.0.1@%s\n' "$zone" "$dns_port"
  done >>"$folder/unbound.conf"
  start_server unbound "$port" "$folder/unbound.log" unbound -d -c "$folder/unbound.conf"
  name_server=127.0.0.1:$port
}

# Alone, after it was stopped.
start_secondary() {
  knotd -c "$1/secondary/knot.conf" >>"$1/secondary/log" 2>&1 </dev/null &
  secondary_pid=$!
  servers_started+=("$secondary_pid")
  local tries=0
  until listens 127.0.0.2 "$dns_port"; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || die "the secondary did not start; its log is $1/secondary/log"
    sleep 0.05
  done
}

has_ipv6() { grep -qs '^0*1 ' /proc/net/if_inet6; }

# knot_server FOLDER LISTEN
knot_server() {
  cat <<CONF
server:
    rundir: $1
    listen: [$2]
database:
    storage: $1
log:
  - target: stderr
    any: info
CONF
}

# txt_records SERVER NAME: what the server shows.
txt_records() { kdig +short +norec -p "$dns_port" "@$1" "$2" TXT; }

# set_txt PORT TSIG_KEY_FILE ZONE NAME STRING…: one record in place of what was there, its strings
# in quotes as in a zone file.
set_txt() {
  local key
  key=$(awk -F '"' '/^key/ { name = $2 } /secret/ { print "hmac-sha256:" name, $2 }' "$2")
  printf '%s\n' "server 127.0.0.1 $1" "key $key" "zone $3." "del $4. TXT" \
    "add $4. 60 TXT ${*:5}" send | knsupdate || die "Knot refused to change $4"
}
