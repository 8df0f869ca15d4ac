# Finalizing, and what is downloaded. Sourced; bash.
# shellcheck shell=bash disable=SC2154

a_case case_50_finalize_at_once_or_later 'RFC 8555 §7.4' pebble_24 pebble_210 caddy fake_ca
case_50_finalize_at_once_or_later() {
  local polls=1
  [ "$server" != caddy ] || polls=0
  configure
  rules '[{"on": "finalize", "headers": {"Location": null}}]'
  ok "the certificate is obtained by the order's own URL" obtains
  # One look at the order comes before finalize.
  ok "the order was polled where it was not valid at once" test \
    "$(($(count_of order) - 1))" -ge "$polls"
}

a_case case_52_the_csr_is_refused 'RFC 8555 §7.4' pebble_24
case_52_the_csr_is_refused() {
  local first
  configure
  once finalize "$(problem badCSR 400)"
  run renew
  first=$(requests 'select(.endpoint == "finalize") | .payload.csr' | head -n 1)
  ok "renew tells the CA's reason" tells_once 'the proxy says badCSR'
  run renew --force --again
  ok "the next one obtains the certificate" holds "$zone"
  ok "by another key" test "$(requests 'select(.endpoint == "finalize") | .payload.csr' |
    tail -n 1)" != "$first"
  remember_files
  always finalize "$(problem badCSR 400)"
  mark
  run renew --force --again
  ok "a CA that goes on refusing ends it" exited 1
  ok "after a few requests" test "$(count_of finalize)" -le 2
  ok "the certificate stays" files_as_before
}

a_case case_53_caa_found_at_finalize 'RFC 8659, RFC 8555 §6.7' pebble_24
case_53_caa_found_at_finalize() {
  configure
  always finalize '{"status": 403, "json": {"type": "urn:ietf:params:acme:error:caa",
    "detail": "CAA record for shop.test prevents issuance"}}'
  run renew
  ok "renew fails" exited 1
  ok "in one line with the CA's words" tells_once 'FAILED: .*CAA record for shop.test prevents'
  ok "the next attempt is hours away" waits_for_hours
}

# The common name of a root of this Pebble.
root_name() {
  curl -fsSk --noproxy '*' "$management/roots/$1" |
    openssl x509 -noout -subject -nameopt multiline | sed -n 's/ *commonName *= //p'
}

top_issuer() {
  openssl crl2pkcs7 -nocrl -certfile "$(live chain)" | openssl pkcs7 -print_certs -noout |
    sed -n 's/^issuer=.*CN *= *//p' | tail -n 1
}

a_case case_55_a_preferred_chain 'RFC 8555 §7.4.2' pebble_24 pebble_210
case_55_a_preferred_chain() {
  local name
  name=$(root_name 2)
  configure ca="preferred_chain = \"$name\""
  run renew
  ok "the certificate is obtained" exited 0
  ok "its chain ends at the preferred root" equal "the issuer of the last" "$name" "$(top_issuer)"
  configure ca='preferred_chain = "Nobody Root X9"'
  run renew --force
  ok "a root that the CA does not have is no failure" exited 0
  ok "and is told" told 'warning.*"Nobody Root X9"'
  ok "the default chain is stored" equal "the issuer of the last" "$(root_name 0)" "$(top_issuer)"
}

# refuses_download WHAT RULE PATTERN: what is downloaded is refused, and nothing changes.
refuses_download() {
  rules "[{\"on\": \"certificate\", $2}]"
  remember_files
  run renew --force --again
  ok "$1: renew fails" exited 1
  ok "$1: the line says why" tells_once "FAILED: .*$3"
  ok "$1: the certificate stays" files_as_before
}

# as_json FILE: its text as a JSON string.
as_json() { jq -Rs . <"$1"; }

a_case case_56_a_download_that_is_not_the_certificate 'RFC 8555 §7.4.2, §11.4' \
  20 pebble_24 pebble_210
case_56_a_download_that_is_not_the_certificate() {
  local other=$folder/other
  configure
  ok "a certificate is obtained" obtains
  self_signed "$other" "$zone"
  refuses_download "a private key in it" "\"append\": $(as_json "$other/privkey.pem")" \
    'PRIVATE KEY|certificate'
  refuses_download "a certificate of another key" "\"body\": $(as_json "$other/fullchain.pem")" key
  refuses_download "text alone" '"body": "here it is\n"' 'certificate'
  refuses_download "nothing" '"body": ""' 'certificate'
  refuses_download "HTML" '"body": "<html>\n<p>404</p>\n</html>"' 'certificate'
  refuses_download "a cut certificate" '"truncate": 700' 'certificate'
  refuses_download "another certificate in front" \
    "\"prepend\": $(as_json "$other/fullchain.pem")" key
  refuses_download "the leaf without its intermediate" \
    "\"truncate\": $(stat -c %s "$(live cert)")" 'comes without its issuer .*which clients need'
  rules '[]'
  ok "afterwards it is renewed" obtains
}

a_case case_56a_a_certificate_of_fewer_names 'RFC 8555 §7.4' pebble_24
case_56a_a_certificate_of_fewer_names() {
  configure
  ok "a certificate is obtained" obtains
  # The chain of one name, given to an order of two, with the same key.
  configure domains="\"$zone\", \"b.$zone\"" certificate='reuse_key = true'
  refuses_download "a certificate of fewer names" "\"body\": $(as_json "$(live fullchain)")" \
    "b\.$zone"
}

a_case case_56b_an_issuer_nobody_trusts 'RFC 8555 §9.1' pebble_24
case_56b_an_issuer_nobody_trusts() {
  configure ca="issuer_roots = \"$issuer_roots\""
  ok "a certificate is obtained" obtains
  self_signed "$folder/other" "$zone"
  configure ca="issuer_roots = \"$folder/other/fullchain.pem\""
  refuses_download "a chain of another root" '"delay": 0' \
    'no anchor in issuer_roots stands behind'
  configure ca="issuer_roots = \"$issuer_roots\""
  ok "with the right one it is renewed" obtains
}

a_case case_58_three_intermediates 'RFC 8555 §7.4.2' pebble_24 pebble_210
case_58_three_intermediates() {
  configure
  ok "a certificate is obtained, with a chain to the root" obtains
  ok "all three intermediates are stored" equal "the number of them" 3 \
    "$(grep -c BEGIN "$(live chain)")"
  ok "each is the issuer of the one before" in_order
}

in_order() {
  openssl crl2pkcs7 -nocrl -certfile "$(live fullchain)" | openssl pkcs7 -print_certs -noout |
    awk '/^subject=/ { sub(/^subject=/, ""); if (issuer != "" && $0 != issuer) bad = 1 }
         /^issuer=/ { sub(/^issuer=/, ""); issuer = $0 }
         END { exit bad }'
}
