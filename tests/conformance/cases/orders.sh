# Orders, authorizations and challenges. Sourced; bash.
# shellcheck shell=bash disable=SC2154

a_case case_28_authorizations_in_any_order 'RFC 8555 §7.1.3' pebble_24 pebble_210 caddy fake_ca
case_28_authorizations_in_any_order() {
  configure domains="\"a.$zone\", \"b.$zone\", \"c.$zone\""
  ok "a certificate of three names is obtained" obtains "a.$zone" "b.$zone" "c.$zone"
  ok "each authorization was answered once" equal_requests "answered challenges" 3 \
    '.endpoint == "challenge"'
}

a_case case_31_nothing_to_prove 'RFC 8555 §7.1.6' pebble_24_reuse pebble_210_reuse fake_ca
case_31_nothing_to_prove() {
  configure
  ok "a certificate is obtained" obtains
  mark
  run renew --force
  ok "with authorizations that are still valid it is renewed" exited 0
  ok "without a proof" equal_requests "answered challenges" 0 '.endpoint == "challenge"'
  ok "with one order" equal_orders_made 1
}

a_case case_32_an_old_order_that_is_dead 'RFC 8555 §7.1.6' pebble_24 pebble_210 fake_ca
case_32_an_old_order_that_is_dead() {
  configure
  rules '[{"on": "authorization", "times": 1, "merge": {"status": "invalid",
    "challenges": {"status": "invalid"}}}]'
  ok "the certificate is obtained" obtains
  ok "by one order more" equal_requests orders 2 '.endpoint == "new_order"'
}

a_case case_34_a_failed_challenge_that_stays_pending 'RFC 8555 §8.2' 10 caddy
case_34_a_failed_challenge_that_stays_pending() {
  configure
  resolve_to "$zone" 127.77.0.9
  (
    until [ "$(count_of challenge)" -ge 1 ]; do sleep 0.1; done
    sleep 3
    resolve_to "$zone" "$address"
  ) &
  run -v renew
  ok "what is mended after three seconds is obtained" holds "$zone"
  ok "the CA's error was shown meanwhile" told 'validate again.*(connection|refused|connect)'
  ok "it was asked again" test "$(count_of challenge)" -ge 2
  ok "and not more often than six times" test "$(count_of challenge)" -le 7
  ok "with one order" equal_requests orders 1 '.endpoint == "new_order"'
}

a_case case_35_processing_for_ever 'RFC 8555 §7.1.6' 30 pebble_24
case_35_processing_for_ever() {
  configure
  rules '[{"on": "authorization", "skip": 1, "merge": {"status": "pending",
    "challenges": {"status": "processing", "validated": null}}}]'
  by_clock 0m 60
  run renew
  ok "renew gives up" exited 1
  ok "in one line that says who waited for what, and how long" \
    tells_once "FAILED: .*CA did not finish validating within 5.*$zone"
  by_clock
  ok "nothing is left of the order" test ! -e "$folder/state/certificates/shop/issuance.json"
  ok "the failure is counted" equal failures 1 "$(known .failures)"
}

a_case case_41a_an_order_that_is_processed_for_ever 'RFC 8555 §7.4' 40 pebble_24
case_41a_an_order_that_is_processed_for_ever() {
  configure
  rules '[{"on": ["finalize", "order"], "skip": 1, "merge": {"status": "processing"}},
          {"on": "finalize", "merge": {"status": "processing"}}]'
  by_clock 0m 60
  run renew
  by_clock
  ok "renew ends undecided" exited 3
  ok "in one line" tells_once 'WAITING: .*still works on the order'
  rules '[]'
  mark
  ok "the same order is gone on with" obtains
  ok "and no other is placed" equal_requests orders 0 '.endpoint == "new_order"'
}

# waited VALUE FROM TO: with that Retry-After the next look comes FROM to TO seconds later. By an
# account that has proved nothing yet: Pebble reuses one authorization of a hundred even at
# PEBBLE_AUTHZREUSE=0.
waited() {
  local gap
  rm -rf "$folder/state/accounts"
  rules "[{\"on\": \"authorization\", \"skip\": 1, \"times\": 1,
    \"headers\": {\"Retry-After\": \"$1\"},
    \"merge\": {\"status\": \"pending\", \"challenges\": {\"status\": \"processing\"}}}]"
  mark
  run renew --force
  gap=$(requests -s 'map(select(.endpoint == "authorization")) | .[2].time - .[1].time')
  exited 0 || return
  awk "BEGIN { exit !($gap >= $2 && $gap <= $3) }" || {
    echo "it came after $gap s, wanted $2 to $3"
    list_requests
    return 1
  }
}

a_case case_37_retry_after_in_every_form 'RFC 8555 §7.5.1, RFC 9110 §10.2.3' 90 pebble_24
case_37_retry_after_in_every_form() {
  configure
  ok "seconds are waited for" waited 3 3 4.5
  ok "a date is waited for" waited "$(http_date $(($(date +%s) + 6)))" 3 7
  ok "a past date is not" waited "Wed, 21 Oct 2015 07:28:00 GMT" 0.1 2
  ok "a negative number is not" waited -5 0.1 2
  ok "a word is not" waited abc 0.1 2
  ok "an absurd number is not waited for longer than a minute" waited 999999999999 0.1 62
}

a_case case_38_subproblems_of_an_authorization 'RFC 8555 §6.7.1' pebble_24
case_38_subproblems_of_an_authorization() {
  configure domains="\"a.$zone\", \"b.$zone\""
  rules "[{\"on\": \"authorization\", \"skip\": 2, \"merge\": {\"status\": \"invalid\",
    \"challenges\": {\"status\": \"invalid\", \"error\": {
      \"type\": \"urn:ietf:params:acme:error:compound\", \"detail\": \"two faults\",
      \"subproblems\": [
        {\"type\": \"urn:ietf:params:acme:error:dns\", \"detail\": \"no such host\",
         \"identifier\": {\"type\": \"dns\", \"value\": \"a.$zone\"}},
        {\"type\": \"urn:ietf:params:acme:error:caa\", \"detail\": \"forbidden\",
         \"identifier\": {\"type\": \"dns\", \"value\": \"b.$zone\"}}]}}}}]"
  run renew
  ok "renew fails" exited 1
  ok "in one line with each identifier and its detail" \
    tells_once "FAILED: .*a\.$zone: no such host.*b\.$zone: forbidden"
  ok "nothing is left of the order" test ! -e "$folder/state/certificates/shop/issuance.json"
}

a_case case_40_a_rejected_name_among_three 'RFC 8555 §6.7' pebble_24 pebble_210
case_40_a_rejected_name_among_three() {
  configure domains="\"a.$zone\", \"shop.blocked.test\", \"b.$zone\""
  run renew
  ok "renew fails" exited 1
  ok "in one line with the rejected name" tells_once 'FAILED: .*shop\.blocked\.test'
  ok "after one order" equal_requests orders 1 '.endpoint == "new_order"'
  if [ "$server" = pebble_24 ]; then
    skip "the other names are had without it" "this CA does not say which name it rejects"
    return
  fi
  run renew --force --again
  run renew --force --again
  ok "after three refusals the other names are had without it" holds "a.$zone" "b.$zone"
  ok "and it is named" told 'shop\.blocked\.test is left out'
}

a_case case_41_an_order_that_fails_in_processing 'RFC 8555 §7.1.6' pebble_24 pebble_210
case_41_an_order_that_fails_in_processing() {
  configure
  rules '[{"on": "order", "skip": 1, "merge": {"status": "invalid", "error": {
    "type": "urn:ietf:params:acme:error:serverInternal", "detail": "the signer is on fire"}}}]'
  run renew
  ok "renew fails" exited 1
  ok "in one line with the order's error" tells_once 'FAILED: .*the signer is on fire'
  ok "the next attempt has its time" test "$(known .next_attempt)" != null
  rules '[]'
  ok "afterwards the certificate is obtained" obtains
}

# dies_at WHAT ENDPOINT SKIP AFTER COUNT: a renew is killed while a request to ENDPOINT is on its
# way, once the CA has given COUNT answers of AFTER; then another completes.
dies_at() {
  local process orders tries=0
  rm -rf "$folder/state"
  rules "[{\"on\": \"$2\", \"skip\": $3, \"delay\": 20, \"drop\": \"before\"}]"
  mark
  "$NOLAPSE" --config "$folder/nolapse.toml" renew >/dev/null 2>&1 </dev/null &
  process=$!
  until [ "$(count_of "$4")" -ge "$5" ] || [ "$tries" -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
  done
  sleep 0.5
  kill -KILL "$process"
  wait "$process" 2>/dev/null
  rules '[]'
  ok "killed $1: the next renew completes" obtains
  orders=$(count '.endpoint == "new_order" and .status == 201')
  ok "killed $1: with $orders orders" test "$orders" -le 2
  ok "killed $1: nothing is left of it" equal "files in tmp" "" "$(ls -A "$folder/state/tmp")"
}

a_case case_44_killed_at_each_step 'RFC 8555 §7.4' 40 pebble_24 pebble_210
case_44_killed_at_each_step() {
  configure
  dies_at "after newOrder" authorization 0 new_order 1
  dies_at "after the proof was put up" challenge 0 authorization 1
  dies_at "after the challenge was answered" authorization 1 challenge 1
  dies_at "before finalize" finalize 0 order 1
  dies_at "after finalize" order 1 finalize 1
  dies_at "before the download" certificate 0 order 2
}

a_case case_46_an_ip_address 'RFC 8738 §3' pebble_24 pebble_210 caddy
case_46_an_ip_address() {
  configure domains="\"$address\", \"$zone\""
  ok "a certificate of an IPv4 address and a name is obtained" obtains "$address" "$zone"
  ok "the address is one of the kind" matches "the leaf" "IP Address:$address" \
    "$(leaf -ext subjectAltName)"
}

a_case case_46a_an_ipv6_address_in_long_form 'RFC 8738 §3, RFC 5952 §4' pebble_210
case_46a_an_ipv6_address_in_long_form() {
  configure domains='"0:0:0:0:0:0:0:1"' challenge="listen = \"[::1]:$http_port\""
  ok "the certificate is obtained" obtains "0:0:0:0:0:0:0:1"
  ok "it was ordered in the canonical form" equal identifier ::1 \
    "$(requests 'select(.endpoint == "new_order") | .payload.identifiers[0].value')"
}

a_case case_28a_a_hundred_names_in_a_nonce_storm 'RFC 8555 §7.4, §6.5' 60 pebble_210_storm
case_28a_a_hundred_names_in_a_nonce_storm() {
  local names=() i
  for i in $(seq 100); do names+=("n$i.$zone"); done
  configure domains="$(printf '"%s", ' "${names[@]}" | sed 's/, $//')"
  ok "a certificate of a hundred names is obtained" obtains "${names[@]}"
  ok "by one order" equal_orders_made 1
  echo "        in $(count) requests, $(count '.problem | endswith("badNonce")') of them refused" \
    "for their nonce, on $(requests -s 'map(.connection) | unique | length') connection(s)"
}

# What a renewal costs: all it asks the CA from newOrder on.
cost() {
  requests -s 'map(select(.method == "POST" and (.problem | endswith("badNonce") | not) and
    .endpoint != "new_account")) | length'
}

a_case case_50a_the_cost_of_a_renewal 'RFC 8555 §7.4' 10 pebble_24 pebble_210 caddy fake_ca
case_50a_the_cost_of_a_renewal() {
  local most=8 daemon tries=0
  [ "$server" != caddy ] || most=7
  configure
  ok "a certificate is obtained" obtains
  until_replaceable
  mark
  run renew --force
  ok "a renewal with a known account succeeds" exited 0
  ok "it takes $(cost) requests from newOrder on, at most $most" test "$(cost)" -le "$most"
  ok "on one connection" equal connections 1 "$(requests -s 'map(.connection) | unique | length')"
  list_requests | sed 's/^/        /'
  "$NOLAPSE" --config "$folder/nolapse.toml" daemon >"$folder/daemon.log" 2>&1 </dev/null &
  daemon=$!
  servers_started+=("$daemon")
  until grep -qs 'looking after' "$folder/daemon.log" || [ "$tries" -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  run renew --force --again
  until_replaceable
  mark
  run renew --force --again
  ok "a renewal by the daemon succeeds" exited 0
  ok "it takes $(count '.endpoint != "renewal_info"') requests in all, at most $most" \
    test "$(count '.endpoint != "renewal_info"')" -le "$most"
  list_requests | sed 's/^/        /'
  stop_server "$daemon"
}
