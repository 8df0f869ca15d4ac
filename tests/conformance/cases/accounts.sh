# Accounts. Sourced; bash.
# shellcheck shell=bash disable=SC2154

account() { jq -r .url "$folder/state/accounts/ca/account.json"; }

a_case case_17_a_lost_account_url 'RFC 8555 §7.3.1' pebble_24 pebble_210 caddy fake_ca
case_17_a_lost_account_url() {
  local before
  configure
  ok "a certificate is obtained" obtains
  before=$(account)
  rm "$folder/state/accounts/ca/account.json"
  mark
  run renew --force
  ok "without the account's URL it is renewed" exited 0
  ok "the CA was asked for the account of the key only" equal_requests "requests for it" 1 \
    '.endpoint == "new_account" and .payload.onlyReturnExisting == true'
  ok "and for no new one" equal_requests "accounts asked for" 1 '.endpoint == "new_account"'
  ok "it is the same account" equal account "$before" "$(account)"
}

a_case case_17a_the_ca_forgot_the_account 'RFC 8555 §6.7' pebble_24
case_17a_the_ca_forgot_the_account() {
  configure
  once new_order "$(problem accountDoesNotExist 400)"
  ok "the certificate is obtained" obtains
  ok "the same key was registered again" equal "accounts asked for" 2 "$(count_of new_account)"
  ok "and it is told" told 'warning.*no longer knows the account'
}

a_case case_19_external_account_required 'RFC 8555 §7.3.4' pebble_24 pebble_210
case_19_external_account_required() {
  configure
  rules '[{"on": "directory", "merge": {"meta": {"externalAccountRequired": true}}}]'
  run renew
  ok "renew fails" exited 1
  ok "in one line with the keys to set" tells_once 'FAILED: .*eab_key_id and eab_hmac_key_file'
  ok "before anything was posted" equal_requests posts 0 '.method == "POST"'
}

# with_external_account ID KEY
with_external_account() {
  echo "$2" >"$folder/eab-key"
  configure ca="eab_key_id = \"$1\"
eab_hmac_key_file = \"$folder/eab-key\""
}

a_case case_20_external_account_binding 'RFC 8555 §7.3.4' pebble_24 pebble_210
case_20_external_account_binding() {
  local wrong=d3JvbmcgTUFDIGtleSBvZiB0aGlydHktdHdvIG9jdGV0cyE
  rules '[{"on": "directory", "merge": {"meta": {"externalAccountRequired": true}}}]'
  with_external_account known-key "$wrong"
  run renew
  ok "a wrong MAC fails" exited 1
  ok "a wrong MAC: one line says so" tells_once 'FAILED: ca: .*(MAC|HMAC|verify|external|EAB)'
  ok "a wrong MAC: asked once" equal_requests "accounts asked for" 1 '.endpoint == "new_account"'
  with_external_account nobodys-key "$wrong"
  run -v renew
  ok "an unknown key id fails" exited 1
  ok "an unknown key id: one line names it" tells_once 'FAILED: ca: .*(nobodys-key|key)'
  ok "the secret is nowhere" test -z \
    "$(grep -rl -e "$wrong" -e 'wrong MAC key' "$folder/state" "$folder/said" "$folder/out")"
  with_external_account known-key "$eab_key"
  ok "with the right ones the certificate is obtained" obtains
}

a_case case_22_changed_terms_of_service 'RFC 8555 §7.3.3' pebble_24
case_22_changed_terms_of_service() {
  configure
  ok "a certificate is obtained" obtains
  remember_files
  always new_order "$(problem userActionRequired 403 '"instance": "https://ca.test/terms/2"')"
  run renew --force
  ok "renew fails" exited 1
  ok "in one line with the place to visit" tells_once 'FAILED: .*visit https://ca.test/terms/2'
  ok "the certificate stays" files_as_before
  ok "the next attempt is hours away" waits_for_hours
}

waits_for_hours() {
  local at
  at=$(known .next_attempt)
  [ "$(date -d "$at" +%s)" -gt $(($(date +%s) + 3600)) ] || {
    echo "the next attempt is $at"
    return 1
  }
}

a_case case_26_account_deactivated_elsewhere 'RFC 8555 §7.3.6' pebble_24
case_26_account_deactivated_elsewhere() {
  configure
  ok "a certificate is obtained" obtains
  remember_files
  mark
  always new_order "$(problem unauthorized 403)"
  run renew --force
  ok "renew fails" exited 1
  ok "in one line with the CA's words" tells_once 'FAILED: .*the proxy says unauthorized'
  ok "no other account is made" equal_requests "accounts asked for" 0 '.endpoint == "new_account"'
  ok "the certificate stays" files_as_before
  ok "the next attempt is hours away" waits_for_hours
}

key_digest() { sha256sum <"$folder/state/accounts/ca/key.pem"; }
serial() { leaf -serial; }

a_case case_23_key_rollover 'RFC 8555 §7.3.5' pebble_24 pebble_210 fake_ca
case_23_key_rollover() {
  local key url
  configure
  ok "a certificate is obtained" obtains
  key=$(key_digest)
  url=$(account)
  run account rollover
  ok "the account gets a new key" exited 0
  ok "another one" test "$key" != "$(key_digest)"
  ok "and stays the same account" equal account "$url" "$(account)"
  run renew --force
  ok "a renewal works with it" exited 0
}

a_case case_25_key_change_not_supported 'RFC 8555 §7.3.5' caddy
case_25_key_change_not_supported() {
  local key
  configure
  ok "a certificate is obtained" obtains
  key=$(key_digest)
  run account rollover
  ok "a CA that cannot do it fails the command" exited 1
  ok "and that is told" told 'not supported by this CA'
  ok "the old key stays" equal key "$key" "$(key_digest)"
  run renew --force
  ok "and works" exited 0
}

a_case case_25a_key_change_that_is_only_said 'RFC 8555 §7.3.5' pebble_24 pebble_210
case_25a_key_change_that_is_only_said() {
  local key
  configure
  ok "a certificate is obtained" obtains
  key=$(key_digest)
  always key_change '{"status": 200, "json": {}}'
  run account rollover
  ok "an agreement that changed nothing is not believed" exited 1
  ok "the old key stays in use" equal key "$key" "$(key_digest)"
  rules '[]'
  run renew --force
  ok "and works" exited 0
}

a_case case_83_revocation 'RFC 8555 §7.6' pebble_24 pebble_210 caddy fake_ca
case_83_revocation() {
  local before
  configure
  ok "a certificate is obtained" obtains
  before=$(serial)
  run revoke shop --reason superseded
  ok "it is revoked" exited 0
  run revoke shop --reason superseded
  ok "a second time it is done already" exited 0
  ok "and that is told" told 'had been revoked before'
  run renew
  ok "the next renewal replaces it" exited 0
  ok "by another one" test "$before" != "$(serial)"
}
