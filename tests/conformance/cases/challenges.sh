# Challenges other than http-01. Sourced; bash.
# shellcheck shell=bash disable=SC2154

a_case case_47_tls_alpn_01 'RFC 8737 §3' pebble_24 pebble_210 caddy
case_47_tls_alpn_01() {
  configure type=tls-alpn-01 challenge="listen = \"$address:$tls_port\"" \
    validation_port="$tls_port" domains="\"$zone\", \"b.$zone\""
  ok "a certificate of two names is obtained" obtains "$zone" "b.$zone"
}

a_case case_47a_tls_alpn_01_of_an_ip_address 'RFC 8738 §6' pebble_24 pebble_210
case_47a_tls_alpn_01_of_an_ip_address() {
  configure type=tls-alpn-01 challenge="listen = \"$address:$tls_port\"" \
    validation_port="$tls_port" domains="\"$address\""
  ok "the certificate is obtained" obtains "$address"
}

values() {
  kdig +short +norec -p "$validation_port" @127.0.0.1 "_acme-challenge.$1" TXT | grep -c .
}

# Proofs of both names lie at one name, and neither may wait for the other.
a_case case_29_a_wildcard_beside_its_own_name 'RFC 8555 §8.4' 20 pebble_24_dns pebble_210_dns
case_29_a_wildcard_beside_its_own_name() {
  local process most=0 found
  zone=c${address#127.77.}
  zone=${zone%.1}.shop.test
  configure type=dns-01 validation_port="$validation_port" domains="\"$zone\", \"*.$zone\"" \
    challenge="provider = \"rfc2136\"
server = \"127.0.0.1:$validation_port\"
tsig_key_file = \"$tsig_key_file\""
  rules '[{"on": "challenge", "times": 1, "delay": 2}]'
  run renew &
  process=$!
  while kill -0 "$process" 2>/dev/null; do
    found=$(values "$zone")
    if [ "$found" -gt "$most" ]; then most=$found; fi
    sleep 0.2
  done
  wait "$process"
  ok "the certificate is obtained" holds "$zone" "*.$zone"
  ok "two values stood at one name at once" equal values 2 "$most"
  ok "and neither is left" equal values 0 "$(values "$zone")"
}

# dns_program SECONDS: what puts records into the zone, and is slow the first time.
dns_program() {
  local key
  key=$(awk -F '"' '/^key/ { name = $2 } /secret/ { print "hmac-sha256:" name, $2 }' \
    "$tsig_key_file")
  cat >"$folder/change-zone" <<SH
#!/bin/sh
[ -e "$folder/was-slow" ] || sleep $1
: >"$folder/was-slow"
case \$1 in add) change="add \$2. 60 TXT \$3" ;; *) change="del \$2. TXT \$3" ;; esac
printf '%s\n' "server 127.0.0.1 $validation_port" "key $key" "zone shop.test." "\$change" send |
  exec knsupdate
SH
  chmod 755 "$folder/change-zone"
}

a_case case_43_an_authorization_that_expires_soon 'RFC 8555 §7.1.4' 20 pebble_24_dns pebble_210_dns
case_43_an_authorization_that_expires_soon() {
  local soon
  zone=c${address#127.77.}
  zone=${zone%.1}.shop.test
  dns_program 6
  configure type=dns-01 validation_port="$validation_port" challenge="provider = \"exec\"
program = \"$folder/change-zone\""
  soon=$(date -u -d '3 seconds' +%Y-%m-%dT%H:%M:%SZ)
  rules "[{\"on\": \"authorization\", \"times\": 1, \"merge\": {\"expires\": \"$soon\"}}]"
  ok "the certificate is obtained" obtains
  ok "by a second order" equal_requests orders 2 '.endpoint == "new_order"'
  ok "no challenge of the first is answered" equal_requests "answered challenges" 1 \
    '.endpoint == "challenge"'
}

# The secondary looks for changes every four seconds, and a record counts where all servers have it.
set_persist_record() {
  local name=_validation-persist.$zone tries=0
  set_txt "$validation_port" "$tsig_key_file" shop.test "$name" "$@"
  until [ "$(persist_record 127.0.0.1)" = "$(persist_record 127.0.0.2)" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || die "the secondary does not take the record over"
    sleep 0.1
  done
}
persist_record() { kdig +short +norec -p "$validation_port" "@$1" "$name" TXT; }
record_to_set() { grep -oE 'TXT "[^"]*"' "$folder/out" | head -n 1 | cut -c5-; }

# What is wrong with the record is told before the CA is asked to look.
persist_refused() {
  exited 1 && tells_once "$1" &&
    equal_requests "challenges answered" "$answered" '.endpoint == "challenge"'
}

a_case case_80_dns_persist_01 'draft-ietf-acme-dns-persist' 20 pebble_210_dns
case_80_dns_persist_01() {
  local answered=0 good
  zone=c${address#127.77.}
  zone=${zone%.1}.shop.test
  configure type=dns-persist-01 validation_port="$validation_port" challenge='' \
    domains="\"$zone\", \"*.$zone\""
  run renew
  ok "a missing record is told with what to set" persist_refused \
    "there is no such record; set this record: _validation-persist.$zone. TXT"
  good=$(record_to_set)
  set_persist_record "${good%; policy=wildcard\"}\""
  run renew
  ok "one without policy=wildcard is no proof of a wildcard" persist_refused \
    'its record has no policy=wildcard'
  set_persist_record "${good/accounturi=/accounturi=https:\/\/elsewhere.test\/}"
  rm "$folder/state/certificates/shop/schedule.json"
  run renew
  ok "one of another account is named" persist_refused \
    'its record is for another account, https://elsewhere.test/'
  set_persist_record "$good"
  ok "the certificate is obtained with the record that was told" obtains "$zone" "*.$zone"
  ok "by a single order" equal "new orders" 1 "$(count_of new_order)"
  run renew --force
  ok "and again, without touching the record" exited 0
}
