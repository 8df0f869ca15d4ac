# The CA: away, changed, or not knowing us any more; and the clock, by which it is judged.
# Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

answer_503='{"status": 503, "body": "maintenance", "headers": {"Content-Type": "text/plain"}}'

a_fault 2.16 ca_away web CA_UNREACHABLE "deep quick peers" "the CA drops every connection"
ca_away() { at_the_ca rules "[{\"on\": $endpoints, \"drop\": \"before\"}]"; }

a_fault 2.16 ca_maintenance web CA_UNREACHABLE "deep peers" "the CA answers 503"
ca_maintenance() { at_the_ca always directory "$answer_503"; }

a_fault 2.16 ca_other_root web CA_TLS "deep peers" "the CA's API has a certificate of another root"
ca_other_root() { cp "$folder/first/fullchain.pem" "$folder/ca-api-roots.pem"; }
ca_other_root_for_peers() { peers_roots=$folder/first/fullchain.pem; }

a_fault 2.16 fallback_away two_cas CA_UNREACHABLE deep "the fallback CA does not answer"
fallback_away() { at_another_ca always directory "$answer_503"; }

a_fault 2.16 profile_withdrawn six_days PROFILE_NOT_OFFERED deep \
  "the CA does not offer the profile any more"
profile_withdrawn() {
  at_the_ca rules '[{"on": "directory", "merge": {"meta": {"profiles": {"shortlived": null}}}}]'
}

# The account is the host's own; how it came to its end only the CA knows.
a_fault 2.13 account_deactivated web ACCOUNT_INVALID "deep alone peers" \
  "the account was deactivated"
account_deactivated() {
  cp -a "$folder/state" "$folder/elsewhere" && rm -f "$folder"/elsewhere/{control,lock} &&
    "$NOLAPSE" --config "$folder/nolapse.toml" --state-dir "$folder/elsewhere" \
      account deactivate --yes
}
account_deactivated_for_peers() {
  at_the_ca rules "[{\"on\": [\"new_account\", \"account\", \"new_order\"],
    \"answer\": $(problem unauthorized 401)}]"
}

a_fault 2.13 account_forgotten web ACCOUNT_INVALID "deep peers" "the CA does not know the account"
account_forgotten() {
  at_the_ca rules "[{\"on\": [\"new_account\", \"account\", \"new_order\"],
    \"answer\": $(problem accountDoesNotExist 400)}]"
}

a_fault 2.13 account_key_lost web ACCOUNT_KEY_MISSING "quick peers" "the account's key is lost"
account_key_lost() { rm "$folder/state/accounts/pebble/key.pem"; }
account_key_lost_for_peers() {
  find "$folder/certbot/accounts" -name private_key.json -delete
  find "$folder/lego/accounts" -name '*.key' -delete
}

a_fault 2.13 terms_changed web TERMS_CHANGED "deep peers" "the CA has new terms of service"
terms_changed() {
  at_the_ca rules '[{"on": "directory",
    "merge": {"meta": {"termsOfService": "https://ca.example/terms-of-next-year"}}}]'
}

a_fault 2.13 external_account_wanted web EAB_MISSING "deep peers" \
  "the CA wants an external account, and the key is lost"
external_account_wanted() {
  kill_daemon
  rm -r "$folder/state/accounts/pebble"
  at_the_ca rules '[{"on": "directory", "merge": {"meta": {"externalAccountRequired": true}}}]'
  start_daemon
}
external_account_wanted_for_peers() {
  account_key_lost_for_peers
  at_the_ca rules "[
    {\"on\": \"directory\", \"merge\": {\"meta\": {\"externalAccountRequired\": true}}},
    {\"on\": \"new_account\", \"answer\": $(problem externalAccountRequired 401)}]"
}

a_fault 2.11 clock_ahead web CLOCK_WRONG "deep quick peers" "the clock is ten minutes ahead"
clock_ahead() { minutes_later 10; }
clock_ahead_for_peers() { clock_of_certbot +10m; }

a_fault 2.11 clock_behind web CLOCK_WRONG "deep peers" "the clock is ten minutes behind"
clock_behind() { minutes_later -10; }
clock_behind_for_peers() { clock_of_certbot -10m; }

a_fault 2.11 clock_drifts web CLOCK_WRONG "deep peers" "the clock is two minutes ahead"
clock_drifts() { minutes_later 2; }
clock_drifts_for_peers() { clock_of_certbot +2m; }

a_fault 2.8 orders_spent budget RATE_BUDGET_LOW "" "four renewals by hand in one day"
orders_spent() {
  for _ in 1 2 3 4; do run renew --force --again; done
}

a_fault 2.8 ca_asks_to_wait web RENEWAL_FAILING peers "the CA's rate limit is reached"
ca_asks_to_wait() {
  at_the_ca always new_order '{"status": 429, "headers": {"Retry-After": "86400"}, "json":
    {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates"}}'
  renew_in_vain
}

a_fault 2.14 replacement_refused web RENEWAL_FAILING peers \
  "the CA refuses each order as one that was replaced already"
replacement_refused() {
  at_the_ca always new_order "$(problem alreadyReplaced 409)"
  renew_in_vain
}

a_fault 2.14 replacement_malformed web RENEWAL_FAILING peers \
  "the CA calls each order malformed, and advises to renew now"
replacement_malformed() {
  at_the_ca rules "[{\"on\": \"new_order\", \"answer\": $(problem malformed 400)},
    {\"on\": \"renewal_info\", \"answer\": {\"json\": {\"suggestedWindow\":
      {\"start\": \"2026-01-01T00:00:00Z\", \"end\": \"2026-01-02T00:00:00Z\"}},
      \"headers\": {\"Content-Type\": \"application/json\"}}}]"
  renew_in_vain
}

a_fault 2.18 order_processing web ORDER_STUCK peers "an order stays in processing for hours"
order_processing() {
  at_the_ca rules '[{"on": ["order", "finalize"],
    "merge": {"status": "processing", "certificate": null}}]'
  timeout 6 "$NOLAPSE" --config "$folder/nolapse.toml" renew --force >/dev/null 2>&1 </dev/null
  at_another_time +7h
}
order_processing_for_peers() {
  at_the_ca rules '[{"on": ["order", "finalize"],
    "merge": {"status": "processing", "certificate": null}}]'
}
