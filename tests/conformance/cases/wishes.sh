# What an operator may wish of a certificate, and how the wish reaches the CA. Sourced; bash.
# shellcheck shell=bash disable=SC2154

a_case case_91_a_name_in_its_own_script 'RFC 8555 §7.1.4, RFC 5890' \
  pebble_24 pebble_210 caddy fake_ca
case_91_a_name_in_its_own_script() {
  configure domains="\"bücher.$zone\""
  resolve_to "xn--bcher-kva.$zone" "$address"
  ok "the certificate is obtained" obtains "xn--bcher-kva.$zone"
  ok "the order has the A-label" equal identifier "xn--bcher-kva.$zone" \
    "$(requests 'select(.endpoint == "new_order") | .payload.identifiers[].value')"
}

a_case case_92_an_own_signing_request 'RFC 8555 §7.4' pebble_24 pebble_210 caddy fake_ca
case_92_an_own_signing_request() {
  openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$zone" -addext "subjectAltName=DNS:$zone" \
    -keyout "$folder/own.key" -out "$folder/own.csr" 2>/dev/null
  configure certificate="csr_file = \"$folder/own.csr\""
  run renew
  ok "the certificate is obtained" exited 0
  ok "for the key that nolapse never had" equal "the public key" \
    "$(openssl pkey -in "$folder/own.key" -pubout)" "$(leaf -pubkey)"
  ok "the CSR was sent as it is" equal "the request" \
    "$(openssl req -in "$folder/own.csr" -outform DER | basenc --base64url -w0 | tr -d =)" \
    "$(requests 'select(.endpoint == "finalize") | .payload.csr')"
  ok "no key lies in the state" test ! -e "$(live privkey)"
}

a_case case_93_a_lifetime 'RFC 8555 §7.1.3, §7.4' pebble_24 pebble_210
case_93_a_lifetime() {
  local ends
  configure certificate='lifetime = "7d"'
  ok "the certificate is obtained" obtains
  ends=$(requests 'select(.endpoint == "new_order") | .payload.notAfter')
  ok "the order asks for seven days" equal "the days" 7 \
    "$((($(date -d "$ends" +%s) - $(date +%s) + 3600) / 86400))"
  ok "and the certificate ends then" equal "its end" "$(date -u -d "$ends" +%s)" \
    "$(date -u -d "$(leaf -enddate | cut -d= -f2)" +%s)"
}

a_case case_94_must_staple 'RFC 7633 §4.2.3' pebble_24 pebble_210
case_94_must_staple() {
  configure certificate='must_staple = true'
  run renew
  ok "the request asks for status_request" matches "the request" '1.3.6.1.5.5.7.1.24|TLS Feature' \
    "$(csr_sent | openssl req -inform DER -noout -text)"
}
csr_sent() {
  requests 'select(.endpoint == "finalize") | .payload.csr' | tail -n 1 |
    sed 's/$/===/' | basenc --base64url -di 2>/dev/null
}

a_case case_95_dns_account_01 'draft-ietf-acme-dns-account-label' 20 pebble_210_dns
case_95_dns_account_01() {
  zone=c${address#127.77.}
  zone=${zone%.1}.shop.test
  dns_program 0
  sed -i "2i echo \"\$1 \$2\" >>\"$folder/asked\"" "$folder/change-zone"
  configure type=dns-account-01 validation_port="$validation_port" \
    domains="\"$zone\", \"*.$zone\"" challenge="provider = \"exec\"
program = \"$folder/change-zone\""
  ok "the certificate is obtained" obtains "$zone" "*.$zone"
  ok "the records stood below the account's own label" equal "names" 1 \
    "$(grep -cE "^add _[a-z2-7]{16}\._acme-challenge\.$zone\$" <(sort -u "$folder/asked"))"
  ok "and each was taken away" equal "the number of removals" "$(grep -c ^add "$folder/asked")" \
    "$(grep -vc ^add "$folder/asked")"
}

a_case case_96_two_key_types 'RFC 8555 §7.4' pebble_24 pebble_210 caddy
case_96_two_key_types() {
  configure certificate='key = ["ecdsa-p256", "rsa-2048"]'
  run renew
  ok "both certificates are obtained" exited 0
  ok "by an order each" equal_requests orders 2 '.endpoint == "new_order"'
  ok "for a key of each type" equal types "id-ecPublicKey rsaEncryption" \
    "$(for csr in $(requests 'select(.endpoint == "finalize") | .payload.csr'); do
      printf '%s===' "$csr" | basenc --base64url -di 2>/dev/null |
        openssl req -inform DER -noout -text | sed -n 's/ *Public Key Algorithm: //p'
    done | sort | xargs)"
}
