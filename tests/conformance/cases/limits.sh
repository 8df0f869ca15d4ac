# Rate limits, and what the CA sends that no client should believe. Sourced; bash.
# shellcheck shell=bash disable=SC2154

a_case case_71_rate_limited 'RFC 8555 §6.6' 10 pebble_24 pebble_210
case_71_rate_limited() {
  configure more="[[certificate]]
name = \"other\"
domains = [\"other.$zone\"]
endpoints = []"
  resolve_to "other.$zone" "$address"
  rules '[{"on": "new_order", "times": 1, "answer": {"status": 429,
    "headers": {"Retry-After": "7200"},
    "json": {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many orders"}}}]'
  run renew shop
  ok "renew ends undecided" exited 3
  ok "in one line with the CA's words" tells_once 'WAITING: .*too many orders'
  mark
  run renew shop
  ok "a second renew does not ask" equal_requests orders 0 '.endpoint == "new_order"'
  ok "and says until when" tells_once 'WAITING: .*20[0-9-]*T'
  run renew --force shop
  ok "nor does --force" equal_requests orders 0 '.endpoint == "new_order"'
  run renew other
  ok "another certificate goes on" exited 0
  mark
  by_clock +110m
  run renew shop
  ok "a minute before the time nothing is asked" equal_requests orders 0 '.endpoint == "new_order"'
  by_clock +121m
  run renew shop
  ok "after it the certificate is obtained" exited 0
}

a_case case_71a_rate_limited_until_a_date 'RFC 8555 §6.6, RFC 9110 §10.2.3' pebble_24
case_71a_rate_limited_until_a_date() {
  local date
  date=$(http_date $(($(date +%s) + 10800)))
  configure
  always new_order "{\"status\": 429, \"headers\": {\"Retry-After\": \"$date\"},
    \"json\": {\"type\": \"urn:ietf:params:acme:error:rateLimited\", \"detail\": \"too many\"}}"
  run renew
  ok "renew ends undecided" exited 3
  mark
  run renew
  ok "a second renew does not ask" equal_requests orders 0 '.endpoint == "new_order"'
  ok "and says until when" tells_once "WAITING: .*$(date -u -d '+3 hours' +%Y-%m-%dT%H)"
}

a_case case_73_paused_until_a_person_acts 'RFC 8555 §6.6' pebble_24
case_73_paused_until_a_person_acts() {
  configure
  ok "a certificate is obtained" obtains
  remember_files
  always new_order '{"status": 429, "json": {"type": "urn:ietf:params:acme:error:rateLimited",
    "detail": "paused; visit https://ca.test/unpause?jwt=abc to unpause"}}'
  run renew --force
  ok "renew says where to unpause" tells_once 'https://ca\.test/unpause\?jwt=abc'
  ok "it asked once" equal_requests "refused orders" 1 '.endpoint == "new_order" and .status == 429'
  ok "the certificate stays" files_as_before
  ok "the next attempt has its time" test "$(known .next_attempt)" != null
}

a_case case_76_a_clock_that_is_wrong 'RFC 9110 §6.6.1' pebble_24
case_76_a_clock_that_is_wrong() {
  configure
  ok "a certificate is obtained" obtains
  mark
  by_clock +65d
  run renew
  ok "a clock that is far ahead of the CA's places no order" equal_requests orders 0 \
    '.endpoint == "new_order"'
  ok "and is told" told 'clock'
  by_clock -2d
  run renew --force
  ok "one that is behind does not hinder a renewal" exited 0
}

# hostile WHAT RULES: renew fails in one line, and no file changes.
hostile() {
  rules "$2"
  run renew --force --again
  ok "$1: renew fails" exited 1
  ok "$1: one line says so" tells_once 'FAILED: [^[:cntrl:]]{10,2500}$'
  ok "$1: no file has changed" files_as_before
}

a_case case_90_hostile_answers 'RFC 8555 §10' 90 pebble_24 pebble_210
case_90_hostile_answers() {
  local long
  long=$(printf 'x%.0s' {1..5000})
  configure
  # Before there is a certificate: even where Pebble is told to reuse no authorization, it reuses
  # one of a hundred, and of one that is valid nobody reads the challenges.
  remember_files
  hostile "a token with slashes" '[{"on": "authorization", "merge": {"challenges":
    {"token": "../../../../tmp/nolapse-was-here"}}}]'
  hostile "a token with a line break" '[{"on": "authorization", "merge": {"challenges":
    {"token": "a\r\nSet-Cookie: x"}}}]'
  hostile "an empty token" '[{"on": "authorization", "merge": {"challenges": {"token": ""}}}]'
  hostile "a token of 5000 characters" "[{\"on\": \"authorization\", \"merge\": {\"challenges\":
    {\"token\": \"$long\"}}}]"
  hostile "challenges of unknown types alone" '[{"on": "authorization", "merge": {"challenges":
    {"type": "quantum-01\u001b[31m", "token": null}}}]'
  hostile "challenges that are no list" '[{"on": "authorization", "body":
    "{\"status\": \"pending\", \"identifier\": 7, \"challenges\": {\"type\": [1]}}"}]'
  hostile "an authorization without anything" '[{"on": "authorization", "body": "{}"}]'
  hostile "an authorization of a name that was not ordered" "[{\"on\": \"authorization\", \"merge\":
    {\"identifier\": {\"value\": \"n77.$zone\"}}}]"
  ok "it is named" told "for \"n77\.$zone\", which was not ordered"
  hostile "an authorization of a path" '[{"on": "authorization", "merge":
    {"identifier": {"value": "../../../etc"}}}]'
  ok "no challenge has been answered" equal_requests "answered challenges" 0 \
    '.endpoint == "challenge"'
  rules '[]'
  ok "a certificate is obtained" renews
  remember_files
  hostile "an order without finalize" \
    '[{"on": ["new_order", "order"], "merge": {"finalize": null}}]'
  # Of an order that is ready, because Pebble reused an authorization, nobody reads those.
  hostile "an order without authorizations" \
    '[{"on": "new_order", "merge": {"status": "pending", "authorizations": null}}]'
  hostile "an order of a foreign host" '[{"on": "new_order", "merge":
    {"status": "pending", "authorizations": ["http://127.0.0.1:1/x"]}}]'
  hostile "an order with a status of its own" '[{"on": "new_order", "merge":
    {"status": "\u001b[2Jowned"}}]'
  hostile "an order without Location" '[{"on": "new_order", "headers": {"Location": null}}]'
  hostile "an error with a megabyte of detail" "$(jq -n '[{on: "new_order", answer: {status: 400,
    json: {type: "urn:ietf:params:acme:error:malformed", detail: ("<b>\u001b[1m" * 60000)}}}]')"
  hostile "an error that is HTML" '[{"on": "new_order", "answer": {"status": 400,
    "headers": {"Content-Type": "text/html"}, "body": "<html>\r\n<body>\r\nno\r\n</body>"}}]'
  hostile "a megabyte of spaces behind the certificate" '[{"on": "certificate", "pad": 1200000}]'
  ok "nothing was written elsewhere" test ! -e /tmp/nolapse-was-here
  rules '[{"on": "authorization", "merge": {"extra": {"a": [1]}, "wildcard": "no",
      "expires": "never"}},
    {"on": ["new_order", "order"], "merge": {"expires": "2026-06-29T02:45:39.304726266Z",
      "notBefore": 3, "surprise": null}}]'
  ok "what is merely strange does not hinder" renews
}

renews() {
  run renew --force --again
  exited 0
}
