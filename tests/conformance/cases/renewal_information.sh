# Renewal information, profiles and `replaces`. Sourced; bash.
# shellcheck shell=bash disable=SC2154

advice() { jq -r ".renewal_info$1" "$folder/state/certificates/shop/schedule.json"; }

in_days() { date -u -d "+$1 days" +%Y-%m-%dT%H:%M:%SZ; }

# set_window JSON: what this Pebble answers for the live certificate.
set_window() {
  jq -n --rawfile pem "$(live cert)" --arg info "$1" '{Certificate: $pem, ARIResponse: $info}' |
    curl -fsSk --noproxy '*' -o /dev/null -A conformance -d @- "$management/set-renewal-info/"
}

window() { printf '{"suggestedWindow": {"start": "%s", "end": "%s"}}' "$1" "$2"; }

a_case case_61_the_window_moves 'RFC 9773 §4.2' pebble_210
case_61_the_window_moves() {
  local first later
  configure
  ok "a certificate is obtained" obtains
  set_window "$(window "$(in_days 40)" "$(in_days 42)")"
  run renew
  first=$(advice .instant)
  ok "an instant in the window is chosen" lies_between "$first" 40 42
  by_clock +7h
  run renew
  ok "the same window has the same instant in another process" equal instant "$first" \
    "$(advice .instant)"
  set_window "$(window "$(in_days 50)" "$(in_days 52)")"
  by_clock +14h
  run renew
  later=$(advice .instant)
  ok "a later window has a later one" lies_between "$later" 50 52
  set_window "$(window "$(in_days 20)" "$(in_days 22)")"
  by_clock +21h
  run renew
  ok "an earlier window has an earlier one" lies_between "$(advice .instant)" 20 22
  ok "none of this was a renewal" equal_requests orders 1 '.endpoint == "new_order"'
  set_window "$(jq -c '. + {"explanationURL": "https://ca.test/incident/7"}' \
    <<<"$(window "$(in_days -2)" "$(in_days -1)")")"
  ca_and_host_at +28h
  run renew
  ok "a window in the past renews now" equal_orders_made 2
  ok "and its explanation is shown" told 'https://ca.test/incident/7'
}

# lies_between TIME DAYS DAYS: from now.
lies_between() {
  local at
  at=$(($(date -d "$1" +%s) - $(date +%s)))
  if [ "$at" -ge $(($2 * 86400 - 60)) ] && [ "$at" -le $(($3 * 86400)) ]; then return; fi
  echo "$1 is not between $2 and $3 days from now"
  return 1
}

a_case case_62_renewal_information_of_no_use 'RFC 9773 §4.2, §4.3' 15 pebble_210
case_62_renewal_information_of_no_use() {
  local at what hours=0
  at=$(in_days 30)
  configure
  ok "a certificate is obtained" obtains
  for what in 'no JSON{' "$(window "$at" "$at")" '{"suggestedWindow": {"start": "soon"}}' \
    "$(window "$(in_days 4000)" "$(in_days 4001)")"; do
    set_window "$what"
    hours=$((hours + 7))
    by_clock "+${hours}h"
    run renew
    ok "it stays with its lifetime: ${what:0:40}" exited 0
  done
  ca_and_host_at +80d
  run renew
  ok "at the end of its lifetime it is renewed, whatever the window says" equal_orders_made 2
}

replaces_of_last() { requests 'select(.endpoint == "new_order") | .payload.replaces' | tail -n 1; }

a_case case_64_renewal_information_removed 'RFC 9773 §3, §5' pebble_210 fake_ca
case_64_renewal_information_removed() {
  configure
  ok "a certificate is obtained" obtains
  until_replaceable
  run renew --force
  ok "a renewal names its predecessor" test "$(replaces_of_last)" != null
  rules '[{"on": "directory", "merge": {"renewalInfo": null}}]'
  run renew --force
  ok "without the endpoint it is renewed" exited 0
  ok "and names none" equal replaces null "$(replaces_of_last)"
}

a_case case_65_already_replaced 'RFC 9773 §5' pebble_210 fake_ca
case_65_already_replaced() {
  configure
  ok "a certificate is obtained" obtains
  until_replaceable
  cp -a "$folder/state" "$folder/older-state"
  run renew --force
  ok "it is renewed" exited 0
  # A backup is put back, whose certificate has a successor already.
  rm -rf "$folder/state"
  mv "$folder/older-state" "$folder/state"
  mark
  run renew --force
  ok "the older state renews, too" exited 0
  ok "the CA refused the order once" equal_requests "refused orders" 1 \
    '.endpoint == "new_order" and .status == 409'
  ok "and the next named no predecessor" equal replaces null "$(replaces_of_last)"
}

a_case case_65a_replaces_refused_in_every_way 'RFC 9773 §5' 10 pebble_210
case_65a_replaces_refused_in_every_way() {
  local refusal
  configure
  ok "a certificate is obtained" obtains
  for refusal in "alreadyReplaced 409" "malformed 404" "unauthorized 403" "serverInternal 500"; do
    mark
    # shellcheck disable=SC2086  # type and status
    once new_order "$(problem $refusal)"
    run renew --force
    ok "after $refusal it is renewed" exited 0
    ok "after $refusal: by one order more, without replaces" equal "replaces" "null" \
      "$(replaces_of_last)"
  done
}

a_case case_68_profiles 'draft-ietf-acme-profiles' pebble_210 fake_ca
case_68_profiles() {
  configure certificate='profile = "shortlived"'
  ok "a certificate of the profile is obtained" obtains
  ok "it lives for the profile's six days" lives_for_days 6
  remember_files
  configure certificate='profile = "nosuch"'
  run renew
  ok "a profile that the CA does not have fails" exited 1
  ok "in one line with its name" tells_once 'FAILED: .*nosuch'
  ok "the certificate stays" files_as_before
}

lives_for_days() {
  local from until
  from=$(date -d "$(leaf -startdate | sed 's/.*=//')" +%s)
  until=$(date -d "$(leaf -enddate | sed 's/.*=//')" +%s)
  equal "the lifetime in days" "$1" $(((until - from + 43200) / 86400))
}

a_case case_68a_another_profile_than_asked_for 'draft-ietf-acme-profiles' pebble_210
case_68a_another_profile_than_asked_for() {
  configure certificate='profile = "shortlived"'
  rules '[{"on": ["new_order", "order", "finalize"], "merge": {"profile": "default"}}]'
  run renew
  ok "an order that echoes another profile is reported" told \
    '"?default"?.*shortlived|shortlived.*default'
}
