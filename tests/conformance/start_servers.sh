# Starts the servers that the wanted cases need, and writes down for one_case how each is reached.
# A server that cannot be had gives its reason in server_missing. Sourced by run; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # run sets work, servers.sh what the servers set

declare -A server_missing
job_processes=()
zone_settings=()
namespace=nolapse-$$

# The MAC key of the external account that Pebble knows, and what it will not certify.
eab_key=bm9sYXBzZSBjb25mb3JtYW5jZSBNQUMga2V5IG51bWJlciAx
pebble_settings='"domainBlocklist": ["blocked.test"],
  "externalAccountMACKeys": {"known-key": "'$eab_key'"},
  "profiles": {"default": {"description": "ninety days", "validityPeriod": 7776000},
               "shortlived": {"description": "six days", "validityPeriod": 518400}},'

start_conformance_servers() {
  local server
  servers=$work/servers
  mkdir -p "$servers"
  export servers
  cc -shared -fPIC -O1 -o "$servers/other_clock.so" "$conformance/other_clock.c" ||
    die "other_clock.c cannot be compiled"
  # Good for cases whose clock is wrong in either direction.
  LD_PRELOAD=$servers/other_clock.so OTHER_CLOCK_OFFSET=-2592000 self_signed_days=3650 \
    self_signed "$servers/api" localhost
  http_port=$(free_port)
  start_name_server "$servers"
  for server in "$@"; do
    case $server in
      pebble_24_dns) with_zone start_pebble_24 "$server" ;;
      pebble_210_dns) with_zone start_pebble_210 "$server" ;;
      pebble_24*) start_pebble_24 "$server" ;;
      pebble_210*) start_pebble_210 "$server" ;;
      caddy) start_caddy ;;
      fake_ca) start_fake_ca ;;
      *) die "nobody starts a server called $server" ;;
    esac
  done
}

# write_settings SERVER [NAME=VALUE…]: what one_case reads.
write_settings() {
  local file=$servers/$1.env
  shift
  printf '%q\n' "http_port=$http_port" "name_server=$name_server" \
    "name_server_control=$name_server_control" "$@" >"$file"
}

# with_zone COMMAND…: the CA started by it asks a resolver before the name servers of shop.test,
# which take signed updates.
with_zone() {
  if [ -z "${tsig_key_file-}" ]; then
    mkdir -p "$servers/dns/zones"
    write_zone "$servers/dns/zones/shop.test" shop.test 'ns1 A 127.0.0.1' 'ns1 AAAA ::1' \
      'ns2 A 127.0.0.2'
    usual_name_server=$name_server
    start_knot "$servers/dns" hmac-sha256 shop.test
    zone_name_server=$name_server
    name_server=$usual_name_server
  fi
  zone_settings=("tsig_key_file=$tsig_key_file" "validation_port=$dns_port")
  name_server=$zone_name_server name_server_control='' "$@"
  zone_settings=()
}

start_pebble_24() {
  if ! /usr/bin/pebble -h 2>&1 | grep -q dnsserver; then
    server_missing[$1]="the package pebble is not installed"
  elif dpkg --compare-versions "$(dpkg-query -W -f '${Version}' pebble)" ge 2.5; then
    server_missing[$1]="this distribution's Pebble is newer than 2.4"
  else
    NOLAPSE_PEBBLE=/usr/bin/pebble start_one_pebble "$1"
  fi
}

start_pebble_210() {
  local program
  program=${NOLAPSE_PEBBLE:-$("$conformance/../servers/fetch-pebble" 2>"$work/fetch")}
  if [ -z "$program" ] || [ "$program" = /usr/bin/pebble ] &&
    dpkg --compare-versions "$(dpkg-query -W -f '${Version}' pebble)" lt 2.10; then
    server_missing[$1]="Pebble 2.10 is not to be had"
    return
  fi
  NOLAPSE_PEBBLE=$program start_one_pebble "$1"
}

# One with the suffix _storm refuses seven good nonces of ten, one with _reuse wants no second
# proof.
start_one_pebble() {
  local reject=0 chain=1 roots=0 reuse=0
  case $1 in
    *_storm) reject=70 ;;
    *_reuse) reuse=100 ;;
    *) chain=3 roots=2 ;;
  esac
  mkdir -p "$servers/$1"
  export PEBBLE_VA_NOSLEEP=1 PEBBLE_AUTHZREUSE=$reuse PEBBLE_WFE_NONCEREJECT=$reject \
    PEBBLE_CHAIN_LENGTH=$chain PEBBLE_ALTERNATE_ROOTS=$roots
  start_pebble "$servers/$1" "$http_port"
  ca_directory=${ca_directory%/dir}
  write_settings "$1" "upstream=${ca_directory#https://}" "upstream_roots=$ca_roots" \
    directory_path=/dir "issuer_roots=$ca_issuer_roots" "management=$ca_management" \
    "eab_key=$eab_key" "tls_port=$(jq .pebble.tlsPort "$servers/$1/pebble.json")" \
    "${zone_settings[@]}"
}

# Caddy looks for proofs at the ports 80 and 443 and asks the system's resolver: all of it, the
# cases too, is in a network of its own.
start_caddy() {
  local folder=$servers/caddy tries=0
  mkdir -p "$folder"
  if [ ! -x /usr/bin/caddy ]; then
    server_missing[caddy]="the package caddy is not installed"
    return
  fi
  if ! ip netns add "$namespace" 2>"$folder/why" ||
    ! ip -n "$namespace" link set lo up 2>>"$folder/why"; then
    server_missing[caddy]="no network namespace can be made here: $(head -n 1 "$folder/why")"
    return
  fi
  echo "nameserver 127.0.0.1" >"$folder/resolv.conf"
  cat >"$folder/Caddyfile" <<CONF
{
  admin off
  auto_https disable_redirects
  skip_install_trust
  storage file_system $folder/storage
}
https://localhost:14443 {
  tls internal
  acme_server
}
CONF
  make_name_server_command 127.0.0.1:53 127.0.0.1:8055
  within_namespace "$folder/name-server.log" "${name_server_command[@]}"
  # shellcheck disable=SC2016  # the inner shell expands them
  within_namespace "$folder/log" env XDG_DATA_HOME="$folder/data" HOME="$folder" sh -c \
    'mount --bind "$0/resolv.conf" /etc/resolv.conf && exec caddy run --config "$0/Caddyfile"' \
    "$folder"
  until [ -s "$folder/storage/pki/authorities/local/root.crt" ] &&
    ip netns exec "$namespace" bash -c 'exec 3<>/dev/tcp/127.0.0.1/14443' 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || die "Caddy did not start; its log is $folder/log"
    sleep 0.05
  done
  http_port=80 name_server=127.0.0.1:53 name_server_control=http://127.0.0.1:8055 \
    write_settings caddy upstream=localhost:14443 \
    "upstream_roots=$folder/storage/pki/authorities/local/root.crt" \
    directory_path=/acme/local/directory tls_port=443 \
    "issuer_roots=$folder/storage/pki/authorities/local/root.crt"
}

within_namespace() {
  local output=$1
  shift
  ip netns exec "$namespace" "$@" >>"$output" 2>&1 </dev/null &
  servers_started+=("$!")
}

# Each case has one of its own, behind its proxy.
start_fake_ca() {
  local program=${NOLAPSE_FAKE_CA:-$top/build/dev/tests/conformance/nolapse-fake-ca}
  [ -x "$program" ] || die "there is no $program; build it or set NOLAPSE_FAKE_CA"
  write_settings fake_ca "upstream_command=$program" directory_path=/directory
}

remove_namespace() { ip netns del "$namespace" 2>/dev/null || true; }
