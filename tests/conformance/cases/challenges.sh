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
