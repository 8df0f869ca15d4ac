# The healthy set-ups. Each is the ground that faults are done to, and has to stay free of findings
# itself. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

a_setup web "a webroot beside nginx, over IPv4 and IPv6"
setup_web() {
  services=(start_web)
  serve "$(plain_server)" "$(tls_server)"
  configure "$(webroot_challenge)" "$(certificate)" "$(nginx_target)"
}

a_setup listen "port 80 is free for nolapse"
setup_listen() {
  services=(start_tls_web)
  serve "$(tls_server)"
  configure "$(listening_challenge)" "$(certificate)" "$(nginx_target)"
}

a_setup zone "a wildcard, by signed updates of the zone"
setup_zone() {
  services=(start_tls_web)
  serve "$(tls_server shop.test '*.shop.test')"
  configure "$(zone_challenge)" "$(nginx_target)" \
    "$(certificate 'domains = ["shop.test", "*.shop.test"]')"
}

a_setup foreign "a hook written for certbot, beside nolapse's own"
setup_foreign() {
  setup_web
  mkdir "$folder/renewal-hooks"
  printf '#!/bin/sh\necho "$RENEWED_LINEAGE" >>%s/lineages\n' "$folder" \
    >"$folder/renewal-hooks/reload"
  chmod +x "$folder/renewal-hooks/reload"
  edit 's/^deploy = .*/deploy = ["nginx", "old"]/'
  add_table "[deploy.old]
hook = \"$folder/renewal-hooks\"
kind = \"certbot\""
}

a_setup slow_secondary "one of two name servers is always some seconds late"
prepare_slow_secondary() { secondary_looks=8; }
# It is late by anything up to that time; a probe waits for a tenth of the patience.
setup_slow_secondary() {
  setup_zone
  edit 's/^propagation_timeout = .*/propagation_timeout = "120s"/'
}

a_setup provider "a program of the operator's own changes the zone"
setup_provider() {
  services=(start_tls_web)
  serve "$(tls_server)"
  cat >"$folder/provider" <<SH
#!/bin/sh
update() {
  { printf 'server 127.0.0.1 53\nzone shop.test.\n'; echo "\$*"; echo send; } |
    knsupdate -y $(tsig_for_tools)
}
case \$1 in
  add) update "add \$2. 60 TXT \"\$3\"" ;;
  remove) update "del \$2. TXT \"\$3\"" ;;
  *) exit 2 ;;
esac
SH
  chmod +x "$folder/provider"
  configure "[challenge.proof]
type = \"dns-01\"
provider = \"exec\"
program = \"$folder/provider\"
propagation_timeout = \"30s\"" "$(certificate)" "$(nginx_target)"
}

a_setup delegated "the proofs live in a zone of their own, by CNAME"
prepare_delegated() {
  records=('_acme-challenge CNAME proof.proofs' '_acme-challenge.www CNAME proof-www.proofs')
}
setup_delegated() {
  services=(start_tls_web)
  serve "$(tls_server)"
  configure "$(zone_challenge)" "$(certificate)" "$(nginx_target)"
}

a_setup persist "a permanent record in the zone"
setup_persist() {
  services=(start_tls_web)
  serve "$(tls_server)"
  configure '[challenge.proof]
type = "dns-persist-01"
propagation_timeout = "15s"' "$(certificate 'domains = ["shop.test"]')" "$(nginx_target)"
}
# It says what to set; then it goes on.
obtain_persist() {
  run renew
  record=$(grep -ohE 'TXT "[^"]*"' "$folder/out" | head -n 1 | cut -c5-)
  [ -n "$record" ] || { what_was_said; return 1; }
  change_zone "add _validation-persist.shop.test. 60 TXT $record"
  obtain
}

a_setup signed "a signed zone, behind a resolver that validates"
setup_signed() {
  setup_web
  sed -i 's/^  - domain: shop.test/&\n    dnssec-signing: on/' "$zone_folder/primary/knot.conf"
  knotc -c "$zone_folder/primary/knot.conf" -b reload >/dev/null
  within 10 has_dnskey || return
  local key
  key=$(kdig +short -p 53 @127.0.0.1 shop.test DNSKEY | awk '$1 == 257')
  sed -i 's/module-config:.*/module-config: "validator iterator"/' "$zone_folder/unbound.conf"
  sed -i "/^server:/a \\  trust-anchor: \"shop.test. DNSKEY $key\"" "$zone_folder/unbound.conf"
  start_resolver_again
}
has_dnskey() { kdig +short -p 53 @127.0.0.1 shop.test DNSKEY | grep -q '^257 '; }

a_setup alpn "port 443 only: the proof is made in the TLS handshake"
setup_alpn() {
  services=(start_web_behind)
  https_port=8443
  serve "$(tls_server)"
  configure '[challenge.proof]
type = "tls-alpn-01"' "$(certificate 'endpoints = ["shop.test:8443"]')" "$(nginx_target)"
}
start_web_behind() { start_web_at 8443; }

a_setup alpn_through_nginx "nginx passes the handshakes on that are for nolapse"
setup_alpn_through_nginx() {
  services=(start_web_behind)
  https_port=8443
  serve "$(tls_server)"
  sed -i "1i load_module /usr/lib/nginx/modules/ngx_stream_module.so;" "$folder/nginx.conf"
  cat >>"$folder/nginx.conf" <<CONF
stream {
  map \$ssl_preread_alpn_protocols \$behind {
    ~\bacme-tls/1\b 127.0.0.1:10443;
    default         127.0.0.1:8443;
  }
  server {
    listen 443;
    listen [::]:443;
    ssl_preread on;
    proxy_pass \$behind;
  }
}
CONF
  configure '[challenge.proof]
type = "tls-alpn-01"
listen = "127.0.0.1:10443"' "$(certificate)" "$(nginx_target)"
}

a_setup two_cas "a second CA, in case the first fails"
setup_two_cas() {
  start_another_ca
  ca_more=$(another_ca) setup_web
}

a_setup standby "a second certificate stands by, from another CA"
setup_standby() {
  setup_two_cas
  edit 's/^challenge = "proof"/&\nstandby = true/'
}

a_setup staged "rehearsals take place at a staging CA"
setup_staged() {
  start_another_ca
  staging=$another_directory setup_web
}

a_setup private_ca "a private CA, which has no staging"
setup_private_ca() {
  setup_web
  edit '/^staging /d'
}

# Pebble takes any of its profiles where none is asked for.
offer_profiles() {
  pebble_settings='"profiles": {
    "default": {"description": "ninety days", "validityPeriod": 7776000},
    "tlsserver": {"description": "forty-five days", "validityPeriod": 3888000},
    "shortlived": {"description": "six days", "validityPeriod": 518400}},'
}

a_setup six_days "a lifetime of six days"
prepare_six_days() { offer_profiles; }
setup_six_days() {
  setup_web
  edit 's/^challenge = "proof"/&\nprofile = "shortlived"/'
}

a_setup forty_five_days "a lifetime of 45 days"
prepare_forty_five_days() { offer_profiles; }
setup_forty_five_days() {
  setup_web
  edit 's/^challenge = "proof"/&\nprofile = "tlsserver"/'
}

a_setup budget "a CA with the usual rate limits"
setup_budget() { rate_limits='{ certificates_per_set = "5/34h" }' setup_web; }

a_setup group "the service's group may read the key"
setup_group() {
  setup_web
  edit 's/^challenge = "proof"/&\ngroup = "www-data"/'
}

a_setup found "no endpoints are configured, those of this host are found"
setup_found() {
  setup_web
  edit '/^endpoints /d'
}

a_setup no_endpoints "nothing is to be verified"
setup_no_endpoints() {
  setup_web
  edit 's/^endpoints .*/endpoints = []/'
}

a_setup ipv6_only "a host without IPv4"
prepare_ipv6_only() { addresses=::1; }
setup_ipv6_only() { setup_web; }

a_setup ipv4_only "a host without IPv6"
prepare_ipv4_only() { addresses=127.0.0.1; }
setup_ipv4_only() { setup_web; }

a_setup two_certificates "two certificates for one nginx"
setup_two_certificates() {
  services=(start_web)
  serve "$(plain_server)" "$(tls_server shop.test)" \
    "$(tls_server www.shop.test | sed "s|pairs/shop|pairs/blog|")"
  ln -s "$folder/first" "$folder/pairs/blog"
  configure "$(webroot_challenge)" "$(nginx_target)" "$(certificate)" \
    "$(certificate 'name = "blog"' 'domains = ["www.shop.test"]' \
      'endpoints = ["www.shop.test:443"]')"
}

a_setup two_key_types "ECDSA and RSA side by side"
setup_two_key_types() {
  setup_web
  edit 's/^challenge = "proof"/&\nkey = ["ecdsa-p256", "rsa-2048"]/'
  ln -s "$folder/first" "$folder/pairs/shop.rsa-2048"
  sed -i -e "/ssl_certificate/{p;s|/shop/|/shop.rsa-2048/|}" "$folder/nginx.conf"
}

a_setup own_request "the operator's own signing request"
setup_own_request() {
  setup_web
  openssl ecparam -name prime256v1 -genkey -noout -out "$folder/own.key" 2>/dev/null
  openssl req -new -key "$folder/own.key" -subj / -out "$folder/own.csr" \
    -addext "subjectAltName=DNS:shop.test,DNS:www.shop.test" 2>/dev/null
  sed -i "s|\(ssl_certificate_key \)[^;]*|\1$folder/own.key|" "$folder/nginx.conf"
  openssl req -x509 -key "$folder/own.key" -subj /CN=shop.test -out "$folder/first/fullchain.pem"
  edit "s|^challenge = \"proof\"|&\ncsr_file = \"$folder/own.csr\"|"
}

a_setup redirect "port 80 sends everything to port 443, which shows the webroot"
setup_redirect() {
  services=(start_web)
  serve "$(plain_server 'return 301 https://$host$request_uri;')" \
    "$(tls_server | sed "s|return 200.*|root $folder/webroot;|")"
  configure "$(webroot_challenge)" "$(certificate)" "$(nginx_target)"
}

a_setup front "a CDN is in front: it has a certificate of its own, and passes the proofs on"
prepare_front() { addresses=127.0.0.8; }
setup_front() {
  services=(start_origin)
  self_signed "$folder/cdn" shop.test www.shop.test
  serve "$(addresses=127.0.0.1 plain_server)" "$(addresses=127.0.0.1 tls_server)" \
    "$(plain_server 'location / { proxy_pass http://127.0.0.1; }')" \
    "$(tls_server | sed "s|$folder/pairs/shop|$folder/cdn|")"
  configure "$(webroot_challenge)" "$(nginx_target)" \
    "$(certificate 'endpoints = ["127.0.0.1:443#shop.test"]')"
}
start_origin() { start_nginx "$folder" 80; }

a_setup address "a certificate for addresses"
prepare_address() { offer_profiles; }
setup_address() {
  setup_web
  edit -e 's/^domains .*/domains = ["127.0.0.1", "::1"]/' \
    -e 's/^endpoints .*/profile = "shortlived"/'
}

a_setup twenty "twenty certificates"
prepare_twenty() {
  local number
  for number in {1..19}; do records+=("n$number A 127.0.0.1" "n$number AAAA ::1"); done
}
# Their rehearsals would take minutes.
obtain_twenty() {
  run renew
  exited 0
}
setup_twenty() {
  local number
  setup_web
  for number in {1..19}; do
    ln -s "$folder/first" "$folder/pairs/n$number"
    sed -i "\$i $(tls_server "n$number.shop.test" | sed "s|pairs/shop|pairs/n$number|g" |
      tr '\n' ' ' | sed 's/\\n//g')" "$folder/nginx.conf"
    add_table "$(certificate "name = \"n$number\"" "domains = [\"n$number.shop.test\"]" \
      "endpoints = [\"n$number.shop.test:443\"]")"
  done
}
