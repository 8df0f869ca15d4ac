# What certificates are made of: their chain, their key, who issued them. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

# pebbles WHAT: a root or an intermediate, or the key of one, as Pebble shows them for tests.
pebbles() { curl -fsS --noproxy '*' --cacert "$ca_roots" "$ca_management/$1/0"; }

a_fault 2.17 intermediate_ends web INTERMEDIATE_EXPIRES "" \
  "the intermediate expires weeks before the leaf"
intermediate_ends() {
  local subject
  for what in roots root-keys intermediates intermediate-keys; do
    pebbles "$what" >"$folder/$what" || return
  done
  subject=$(openssl x509 -in "$folder/intermediates" -noout -subject -nameopt RFC2253)
  openssl req -new -key "$folder/intermediate-keys" -subj "/${subject#subject=}" |
    openssl x509 -req -CA "$folder/roots" -CAkey "$folder/root-keys" -set_serial 7 -days 40 \
      -extfile <(echo basicConstraints=critical,CA:TRUE) -out "$(newest)/chain.pem" || return
  cat "$(newest)/cert.pem" "$(newest)/chain.pem" >"$(newest)/fullchain.pem"
}

a_fault 2.17 chain_not_offered chosen_chain ISSUER_CHANGED "" \
  "the preferred chain is not offered any more"
chain_not_offered() {
  at_the_ca rules '[{"on": "certificate", "headers": {"Link": null}}]'
  run renew --force
}

a_fault 2.19 key_weak web WEAK_KEY "" "a certificate of long ago was restored by hand"
key_weak() {
  openssl req -x509 -newkey rsa:1024 -nodes -days 30 -subj /CN=shop.test \
    -addext subjectAltName=DNS:shop.test,DNS:www.shop.test -keyout "$(newest)/privkey.pem" \
    -out "$(newest)/fullchain.pem" && cp "$(newest)/fullchain.pem" "$(newest)/cert.pem" &&
    : >"$(newest)/chain.pem"
}

a_fault 2.19 key_stays web KEY_REUSED "" "renewals keep the key, and nothing tells them to any more"
key_stays() {
  openssl ecparam -name prime256v1 -genkey -noout -out "$folder/own.key"
  edit "s|^challenge = \"proof\"|&\nkey_file = \"$folder/own.key\"|"
  take_up
  run renew --force
  run renew --force
  at_the_ca always new_order "$(problem serverInternal 500)"
  edit '/^key_file /d'
  take_up
}
