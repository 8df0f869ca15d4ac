# The scene of a conformance case: a folder and an address of its own, a fault proxy before the CA
# that the driver started, and a configuration that joins them. Cases of one server run at the same
# time; each proves its names on its own loopback address. Sourced by one_case; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # one_case and the server's settings set the rest

conformance=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../sentences.sh
. "$conformance/../sentences.sh"
# shellcheck source=../servers/servers.sh
. "$conformance/../servers/servers.sh"
# shellcheck source=../servers/knot.sh
. "$conformance/../servers/knot.sh"

# open_scene FOLDER NUMBER: sets folder, address and zone, below which names are this case's.
open_scene() {
  folder=$1
  address=127.77.$2.1
  zone=c$2.test
  log=$folder/requests
  mkdir -p "$folder"
  : >"$log"
  trap 'stop_servers' EXIT
  trap 'exit 1' HUP INT TERM
  rules '[]'
  start_proxy "$servers/api"
}

# start_proxy FOLDER: with the certificate in it. Sets directory and proxy_port.
start_proxy() {
  local tries=0 options=()
  if [ -n "${upstream_command-}" ]; then
    issuer_roots=$folder/issuer-roots.pem
    options=(--upstream-command "$upstream_command" --upstream-roots "$issuer_roots"
      --validation "$address:$http_port")
  else
    options=(--upstream "$upstream" --upstream-roots "$upstream_roots")
  fi
  rm -f "$folder/proxy-port"
  "$conformance/fault_proxy" "${options[@]}" --directory "$directory_path" \
    --certificate "$1/fullchain.pem" --key "$1/privkey.pem" --rules "$folder/rules" \
    --log "$log" --port-file "$folder/proxy-port" >>"$folder/proxy.log" 2>&1 </dev/null &
  proxy_pid=$!
  servers_started+=("$proxy_pid")
  until [ -e "$folder/proxy-port" ]; do
    tries=$((tries + 1))
    if ! kill -0 "$proxy_pid" 2>/dev/null || [ "$tries" -gt 400 ]; then
      cat "$folder/proxy.log" >&2
      die "the fault proxy did not start"
    fi
    sleep 0.05
  done
  proxy_port=$(cat "$folder/proxy-port")
  directory=https://localhost:$proxy_port$directory_path
}

# rules JSON: what the proxy does from now on.
rules() {
  jq -c . <<<"$1" >"$folder/rules.new" || die "the rules are no JSON: $1"
  mv "$folder/rules.new" "$folder/rules"
}

# endpoints: all of them, as a list in JSON.
endpoints='["directory", "new_nonce", "new_account", "new_order", "authorization", "challenge",
  "finalize", "order", "certificate", "renewal_info"]'

# http_date SECONDS: since 1970, in the form of [RFC 9110 §5.6.7].
http_date() { TZ=UTC LC_ALL=C date -d "@$1" '+%a, %d %b %Y %H:%M:%S GMT'; }

# ca_and_host_at OFFSET: both clocks are set forward, the CA's as far as its answers tell of it.
ca_and_host_at() {
  local date
  by_clock "$1"
  date=$(http_date $(($(date +%s) + ${clock[2]#*=})))
  rules "[{\"on\": $endpoints, \"headers\": {\"Date\": \"$date\"}}]"
}

# problem TYPE STATUS [JSON_MEMBERS]: an answer with that problem document.
problem() {
  printf '{"status": %s, "json": {"type": "urn:ietf:params:acme:error:%s", "detail": "%s"%s}}' \
    "$2" "$1" "the proxy says $1" "${3:+, $3}"
}

# always ENDPOINT ANSWER, once ENDPOINT ANSWER: a script of one rule.
always() { rules "[{\"on\": \"$1\", \"answer\": $2}]"; }
once() { rules "[{\"on\": \"$1\", \"times\": 1, \"answer\": $2}]"; }

# configure [KEY=VALUE…]: names one certificate "shop" unless told otherwise.
configure() {
  local ca='' certificate='' challenge="listen = \"$address:$http_port\"" domains="\"$zone\""
  local contact='["mailto:ops@shop.test"]' rate_limits='"none"' more='' name
  local type=http-01 validation_port=$http_port
  [ $# -eq 0 ] || local "$@"
  cat >"$folder/nolapse.toml" <<TOML
state_dir = "$folder/state"
contact   = $contact
resolver  = "$name_server"
[[ca]]
name         = "ca"
directory    = "$directory"
roots        = "$servers/api/fullchain.pem"
rate_limits  = $rate_limits
terms_of_service_agreed = true
$ca
[challenge.web]
type   = "$type"
$challenge
validation_port = $validation_port

[[certificate]]
name      = "shop"
domains   = [$domains]
endpoints = []
$certificate
$more
TOML
  for name in ${domains//[\",]/ }; do
    [[ $name != *.test || -z $name_server_control ]] || resolve_to "$name" "$address"
  done
}

# run ARGUMENT…: nolapse with that configuration. What came of it lies in files, because `ok` runs
# its condition in a process of its own.
run() {
  local status=0
  timeout 100 "${clock[@]}" "$NOLAPSE" --config "$folder/nolapse.toml" "$@" \
    >"$folder/out" 2>"$folder/said" </dev/null || status=$?
  echo "$status" >"$folder/status"
}

# by_clock [OFFSET [RATE]]: what time of day run sees from now on: by_clock +7h, by_clock -2d,
# by_clock 0m 60 for sixty times as fast; nothing: as it is. What nolapse waits for takes its real
# time.
clock=()
by_clock() {
  local unit
  clock=()
  [ $# -gt 0 ] || return 0
  case $1 in
    *m) unit=60 ;;
    *h) unit=3600 ;;
    *d) unit=86400 ;;
    *) die "$1 is no offset" ;;
  esac
  clock=(env LD_PRELOAD="$servers/other_clock.so" OTHER_CLOCK_OFFSET=$((${1%?} * unit))
    OTHER_CLOCK_RATE="${2-1}")
}

what_was_said() { cat "$folder/out" "$folder/said"; }

exited() {
  equal "the exit status" "$1" "$(cat "$folder/status")" || {
    what_was_said
    return 1
  }
}

# told PATTERN: what was said has it.
told() { matches "what was said" "$1" "$(what_was_said)"; }

# tells_once PATTERN: the result is one line, and says that.
tells_once() {
  if equal "the number of lines of the result" 1 "$(grep -c . "$folder/out")" &&
    matches "the result" "$1" "$(cat "$folder/out")"; then return; fi
  what_was_said
  return 1
}

# What status knows of the certificate.
known() { "$NOLAPSE" --config "$folder/nolapse.toml" status --json 2>/dev/null |
  jq -r ".certificates[0]$1"; }

# count [FILTER]: how many requests since the last mark; the filter sees one log entry.
marked=0
mark() { marked=$(wc -l <"$log"); }
requests() { tail -n "+$((marked + 1))" "$log" | jq -r "$@"; }
count() { requests "select(${1-true}) | .path" | wc -l; }
count_of() { count ".endpoint == \"$1\""; }

# An endpoint and a status a line, for the reader of a failure.
list_requests() { requests '"\(.connection) \(.method) \(.endpoint) \(.status) \(.problem)"'; }

# equal_requests WHAT WANTED FILTER
equal_requests() {
  equal "the number of $1" "$2" "$(count "$3")" || {
    list_requests
    return 1
  }
}

# Pebble 2.10 answers one "replaces" of 256 with a 500: it looks the serial number up without the
# leading zero that its encoding has. The order that is then made without it is the one that counts.
equal_orders_made() {
  equal_requests "orders made" "$1" '.endpoint == "new_order" and .status == 201'
}

live() { printf '%s/state/live/shop/%s.pem' "$folder" "$1"; }
leaf() { openssl x509 -in "$(live cert)" -noout "$@"; }
names_in_leaf() { leaf -ext subjectAltName | sed '1d; s/DNS://g; s/IP Address://g; s/[ ,]\+/\n/g' |
  sed '/^$/d' | sort | xargs; }

# The live pair matches, has these names and a chain to the CA's root.
holds() {
  equal "the names of the certificate" "$(printf '%s\n' "$@" | sort | xargs)" \
    "$(names_in_leaf)" &&
    equal "the key of the pair" "$(leaf -pubkey)" "$(openssl pkey -in "$(live privkey)" -pubout)" &&
    openssl verify -CAfile "$issuer_roots" -untrusted "$(live chain)" "$(live cert)"
}

# obtains [NAME…]: renew succeeds, with a certificate for these names.
obtains() {
  [ $# -gt 0 ] || set -- "$zone"
  run renew
  exited 0 && holds "$@"
}

# Renews until the CA can find the certificate by what `replaces` names. Pebble compares the bytes
# of the serial with and without the zero that DER puts before a first bit that is set, and answers
# 500 for one certificate in about 512.
until_replaceable() {
  while [[ $(leaf -serial) == serial=[89A-F]* ]]; do run renew --force --again; done
}

# remember_files, files_as_before: nothing below certificates/ and live/ has changed but what says
# that there was an attempt.
list_files() {
  (cd "$folder/state" 2>/dev/null && find certificates live \
    \( -name schedule.json -o -name issuance.json \) -prune -o \
    \( -type f -exec sha256sum {} + , -type l -printf '%p -> %l\n' \) 2>/dev/null | sort)
}
remember_files() { files_before=$(list_files); }
files_as_before() {
  equal "what lies below certificates/ and live/" "$files_before" "$(list_files)"
}
