# Transport, nonces and signatures. Sourced; bash.
# shellcheck shell=bash disable=SC2154,SC2016  # dollars are jq's

# Each request after a badNonce was signed with the nonce of that answer.
retries_with_the_nonce_of_the_error() {
  requests -s '[.[] | select(.method != "GET")] as $all | [range(1; $all | length) |
    select(($all[. - 1].problem | endswith("badNonce")) and $all[.].method == "POST" and
      $all[.].signed.nonce != $all[. - 1].sent_nonce)] | length'
}

# In a row and without a pause between them.
most_tries() {
  requests -s 'reduce .[] as $r ({run: 0, most: 0, at: 0};
    .run = (if $r.time - .at > 0.4 then 1 else .run + 1 end) | .at = $r.time |
    .most = ([.most, .run] | max) |
    if $r.problem | endswith("badNonce") then . else .run = 0 end) | .most'
}

a_case case_1_seven_good_nonces_of_ten_refused 'RFC 8555 §6.5' 30 pebble_24_storm pebble_210_storm
case_1_seven_good_nonces_of_ten_refused() {
  configure
  ok "the certificate is obtained" obtains
  ok "some nonces were refused" test "$(count '.problem | endswith("badNonce")')" -gt 2
  ok "each retry uses the nonce of the error" equal "retries with another" 0 \
    "$(retries_with_the_nonce_of_the_error)"
  ok "no request is tried more than ten times" test "$(most_tries)" -le 10
  ok "no failure is counted" equal failures 0 "$(known .failures)"
  # Of thirty-five requests one is refused ten times, and that is told.
  [ "$(most_tries)" -ge 10 ] || ok "and nothing is told of it" equal "what was said of nonces" "" \
    "$(what_was_said | grep -i nonce)"
}

a_case case_2_every_nonce_refused 'RFC 8555 §6.5' 25 pebble_24
case_2_every_nonce_refused() {
  configure
  always new_order "$(problem badNonce 400)"
  run renew
  ok "renew fails" exited 1
  ok "in one line that names nonces" tells_once 'FAILED: .*badNonce'
  ok "after a bounded number of tries" test "$(count_of new_order)" -le 60
  ok "and not in a tight loop" test "$(requests -s '.[-1].time - .[0].time | floor')" -ge 5
  ok "the next attempt has its time" test "$(known .next_attempt)" != null
  rules '[]'
  ok "when it is over, the certificate is obtained" obtains
}

a_case case_4_replay_nonce_missing_illegal_or_doubled 'RFC 8555 §6.5.1' pebble_24 pebble_210 fake_ca
case_4_replay_nonce_missing_illegal_or_doubled() {
  configure
  rules '[{"on": ["new_account", "authorization"], "headers": {"Replay-Nonce": null}},
          {"on": "new_order", "headers": {"Replay-Nonce": "not/a+nonce=="}},
          {"on": "challenge", "headers": {"Replay-Nonce": ["il legal", "{nonce}"]}}]'
  ok "the certificate is obtained" obtains
  ok "a nonce is fetched where none came" test "$(count_of new_nonce)" -ge 3
  ok "no illegal nonce was used" equal_requests "illegal nonces" 0 \
    '(.signed.nonce // "x") | test("^[A-Za-z0-9_-]+$") | not'
  ok "and none was refused" equal_requests "refused nonces" 0 '.problem | endswith("badNonce")'
}

a_case case_5_a_nonce_of_300_characters 'RFC 8555 §6.5.1' pebble_24 pebble_210
case_5_a_nonce_of_300_characters() {
  local nonce
  nonce=$(printf 'aZ9_-%.0s' {1..60})
  configure
  rules "[{\"on\": \"new_nonce\", \"headers\": {\"Replay-Nonce\": \"$nonce\"}}]"
  ok "the certificate is obtained" obtains
  ok "the nonce was used as it came" equal_requests "requests with it" 1 \
    ".signed.nonce == \"$nonce\""
}

a_case case_8_signature_algorithm_refused 'RFC 8555 §6.2' pebble_24
case_8_signature_algorithm_refused() {
  configure
  always new_account "$(problem badSignatureAlgorithm 400 '"algorithms": ["RS256", "ES384"]')"
  run renew
  ok "renew fails" exited 1
  ok "in one line with the algorithms that the CA takes" \
    tells_once 'FAILED: .*account_key_type.*RS256 ES384'
  ok "after one try" equal_requests "accounts asked for" 1 '.endpoint == "new_account"'
}

a_case case_10_a_directory_with_more_and_with_less 'RFC 8555 §7.1.1' pebble_24 pebble_210 caddy
case_10_a_directory_with_more_and_with_less() {
  configure
  rules '[{"on": "directory", "prepend": " \n\t ", "append": "\n\n",
    "headers": {"Content-Type": "application/json; charset=utf-8"},
    "merge": {"meta": null, "revokeCert": null, "keyChange": null, "renewalInfo": null,
      "x": "https://ca.test/what", "nested": {"a": [1, {"b": null}], "newOrder": 1}}}]'
  ok "the certificate is obtained" obtains
  rules '[{"on": "directory", "merge": {"newOrder": null}}]'
  run renew --force
  ok "without newOrder it fails" exited 1
  ok "and says what is missing" tells_once 'FAILED: .*newOrder'
}

a_case case_11_directory_unavailable 'RFC 8555 §6.7, RFC 9110 §10.2.3' 10 pebble_24
case_11_directory_unavailable() {
  local daemon
  configure
  rules '[{"on": "directory", "answer": {"status": 503, "headers": {"Retry-After": "120",
    "Content-Type": "text/html"}, "body": "<html>\n<h1>Service Unavailable</h1>\n</html>"}}]'
  run renew
  ok "renew says that the CA cannot" tells_once 'ca: .*(503|Service Unavailable)'
  ok "it asked once" equal_requests "looks at the directory" 1 '.endpoint == "directory"'
  "$NOLAPSE" --config "$folder/nolapse.toml" daemon >"$folder/daemon.log" 2>&1 </dev/null &
  daemon=$!
  servers_started+=("$daemon")
  sleep 6
  ok "a daemon stays up" kill -0 "$daemon"
  ok "and does not ask before the time" test "$(count_of directory)" -le 1
  stop_server "$daemon"
  # What was asked for is counted from the CA's answer, two minutes ago for this clock.
  rules '[]'
  by_clock +3m
  ok "after it, the certificate is obtained" obtains
}

a_case case_13_the_certificate_of_the_ca 'RFC 8555 §6.1' pebble_24
case_13_the_certificate_of_the_ca() {
  mkdir -p "$folder/wrong-host"
  self_signed "$folder/other" localhost
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=elsewhere.test \
    -addext subjectAltName=DNS:elsewhere.test -keyout "$folder/wrong-host/privkey.pem" \
    -out "$folder/wrong-host/fullchain.pem" 2>/dev/null
  refuses_ca "a self-signed one that nobody trusts" other "$servers/api" 'CA_TLS|self.signed|trust'
  by_clock +40d
  refuses_ca "one that has expired" other "$folder/other" 'expired'
  by_clock
  refuses_ca "one of another host" wrong-host "$folder/wrong-host" \
    'localhost port.*certificate verify failed'
  stop_server "$proxy_pid"
  start_proxy "$servers/api"
  configure
  ok "with the right one the certificate is obtained" obtains
}

# refuses_ca WHAT FOLDER ROOTS PATTERN
refuses_ca() {
  stop_server "$proxy_pid"
  start_proxy "$folder/$2"
  configure
  sed -i "s|^roots .*|roots = \"$3/fullchain.pem\"|" "$folder/nolapse.toml"
  mark
  run renew
  ok "$1 is refused" exited 1
  ok "$1: the line says why" tells_once "$4"
  ok "$1: no request was made" equal "requests" 0 "$(count)"
}

a_case case_14_the_answer_to_new_order_is_lost 'RFC 8555 §7.4' pebble_24 pebble_210 caddy fake_ca
case_14_the_answer_to_new_order_is_lost() {
  configure
  rules '[{"on": "new_order", "times": 1, "drop": "after"}]'
  ok "the certificate is obtained" obtains
  ok "with one order more" equal_requests orders 2 \
    '.endpoint == "new_order" and (.status == 201 or .status == 0)'
  ok "and no proof for the lost one" equal_requests "answered challenges" 1 \
    '.endpoint == "challenge"'
}

# each_once ACTION: a rule for each endpoint, whose first request it spoils.
each_once() { jq -c "[.[] | {on: ., times: 1} + $1]" <<<"$endpoints"; }

a_case case_14a_each_request_is_lost_on_its_way 'RFC 8555 §7.4' 20 pebble_24 pebble_210 caddy
case_14a_each_request_is_lost_on_its_way() {
  configure
  rules "$(each_once '{drop: "before"}')"
  ok "the certificate is obtained" obtains
  ok "with one order" equal "orders that the CA saw" 1 \
    "$(count '.endpoint == "new_order" and .status == 201')"
}

a_case case_14b_each_answer_is_lost 'RFC 8555 §7.4' 20 pebble_24 pebble_210 caddy
case_14b_each_answer_is_lost() {
  configure
  rules "$(each_once '{drop: "after"}')"
  ok "the certificate is obtained" obtains
  ok "with one account" equal "accounts made" 1 \
    "$(requests -s 'map(select(.endpoint == "new_account") | .signed.jwk) | unique | length')"
}

a_case case_14c_each_request_meets_a_503 'RFC 8555 §6.7' 20 pebble_24 pebble_210
case_14c_each_request_meets_a_503() {
  configure
  # The first contact is tried three times in all, whatever fails of it.
  endpoints=$(jq '. - ["new_nonce", "new_account"]' <<<"$endpoints")
  rules "$(each_once '{answer: {status: 503, body: "<html>busy</html>",
    headers: {"Content-Type": "text/html", "Replay-Nonce": null}}}')"
  ok "the certificate is obtained" obtains
}

a_case case_14d_slow_bodies 'RFC 8555 §6.1' 15 pebble_24
case_14d_slow_bodies() {
  configure
  rules '[{"on": ["directory", "new_order", "certificate"], "drip": [300, 0.2]}]'
  ok "the certificate is obtained" obtains
}

a_case case_16_json_that_is_too_much 'RFC 8555 §6.7' 40 pebble_24
case_16_json_that_is_too_much() {
  local deep
  deep=$(printf '[%.0s' {1..100000})
  configure
  refuses_answer "a body of two megabytes" '"pad": 2000000'
  refuses_answer "a hundred thousand brackets" "\"body\": \"{\\\"status\\\": $deep\""
  refuses_answer "a NUL" '"body": "{\"status\": \"pending\u0000\""'
  refuses_answer "a cut object" '"truncate": 40'
  refuses_answer "an array" '"body": "[]"'
  refuses_answer "nothing" '"body": ""'
  refuses_answer "HTML" '"body": "<html>\n<body>Sorry</body>\n</html>"'
  rules '[]'
  ok "afterwards the certificate is obtained" obtains
}

# refuses_answer WHAT CHANGE: of the CA to newOrder.
refuses_answer() {
  rules "[{\"on\": \"new_order\", $2}]"
  remember_files
  run renew --force --again
  ok "$1: renew fails" exited 1
  ok "$1: in one line, without more than a line of it" test "$(wc -c <"$folder/out")" -lt 400
  ok "$1: the line says so" tells_once 'FAILED: .*(JSON object|longer than)'
  ok "$1: no file has changed" files_as_before
}

a_case case_16a_a_redirect 'RFC 8555 §6.1' pebble_24
case_16a_a_redirect() {
  configure
  rules '[{"on": "new_order", "answer": {"status": 307, "headers": {"Location": "{base}/dir"}}}]'
  run renew
  ok "a redirected POST fails" exited 1
  ok "in one line with the status" tells_once 'FAILED: .*307'
  ok "and is not followed" equal_requests "looks at the directory" 1 '.endpoint == "directory"'
}
