# What comes of it in the end: late, expired, missing, forgotten; and what has changed since it
# worked. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

ca_is_down() { at_the_ca always new_order "$(problem serverInternal 500)"; }

a_fault 2.18 renewals_fail web RENEWAL_FAILING "peers" "each order fails at the CA"
renewals_fail() {
  ca_is_down
  renew_in_vain
}

a_fault 2.18 deployment_waits web DEPLOYMENT_FAILING "" "issued, but the web server refuses it"
deployment_waits() {
  sed -i '1i lisen 443;' "$folder/nginx.conf"
  renew_in_vain
}

a_fault 2.18 taken_back web GENERATION_WITHHELD "" \
  "somebody went back to the certificate before and left it at that"
taken_back() {
  run renew --force --again
  run rollback shop
}

a_fault 2.1 nobody_renews web RENEWAL_OVERDUE silent "a renewal is due for weeks, nobody does it"
nobody_renews() {
  kill_daemon
  by_clock +75d
}

# Weeks before anybody would notice.
a_fault 2.22 forty_days_before web HTTP01_UNREACHABLE deep \
  "port 80 is closed forty days before the certificate expires"
forty_days_before() {
  days_later 50
  ca_tells_time_of_host
  within 20 ready
  nginx_reads '/:80;/s/:80;/:8080;/'
}

a_fault 2.22 near_expiry web EXPIRY_NEAR "" "ten days are left, and renewals fail"
near_expiry() {
  ca_is_down
  days_later 80
}

a_fault 2.22 expired web EXPIRED quick "it expired this morning"
expired() {
  ca_is_down
  days_later 91
}

a_fault 2.22 expired_is_served web SERVED_EXPIRED "" "the expired certificate is what clients get"
expired_is_served() { expired; }

a_fault 2.22 never_obtained web CERTIFICATE_MISSING "" "a new certificate is never obtained"
never_obtained() {
  ca_is_down
  change_zone "add blog.shop.test. 60 A 127.0.0.1"
  add_table "$(certificate 'name = "blog"' 'domains = ["blog.shop.test"]' 'endpoints = []' \
    'deploy = []')"
  take_up
}

a_fault 2.22 nobody_answers found ENDPOINT_UNREACHABLE "" "no service answers for the name any more"
nobody_answers() {
  stop_server "$nginx_pid"
}

a_fault 2.22 nobody_can_tell found UNVERIFIED "" "no service is known to have answered for the name"
nobody_can_tell() {
  local file=$folder/state/certificates/shop/schedule.json
  stop_server "$nginx_pid"
  jq 'del(.served_at)' "$file" >"$file.new"
  cat "$file.new" >"$file"
  rm "$file.new"
}

a_fault 2.22 section_removed two_certificates ORPHAN "" "a certificate's section was removed"
section_removed() {
  edit -z 's/\[\[certificate\]\]\nname = "blog".*\(\[alerts\]\)/\1/'
  take_up
}

a_fault 2.22 revoked web REVOKED "" "the CA has revoked it, and a new one cannot be had"
revoked() {
  ca_is_down
  run revoke shop --reason keyCompromise
}

a_fault 2.19 config_broken web CONFIG_BROKEN quick "the configuration has a key too many"
config_broken() { edit '1i nonsense = 1'; }

a_fault 2.19 config_not_taken_up web CONFIG_NOT_TAKEN_UP "" "the daemon was not told of a new name"
config_not_taken_up() { edit 's/"www.shop.test"/"www.shop.test", "new.shop.test"/'; }

a_fault 2.19 challenge_unused web CONFIG_UNUSED "" "a challenge is used by nobody"
challenge_unused() {
  add_table '[challenge.old]
type = "http-01"
listen = "[::]:8089"'
  take_up
}

a_fault 2.19 hook_changed web CHANGED_SINCE_SUCCESS "" "an upgrade brought another hook"
hook_changed() { sed -i '2i # Another version.' "$folder/hooks/nginx"; }

a_fault 2.19 configuration_changed web CHANGED_SINCE_SUCCESS "" \
  "the configuration was changed since the last success"
configuration_changed() {
  edit 's/^contact .*/contact = ["mailto:new@shop.test"]/; s/^key .*//'
  edit 's/^name = "shop"/&\nkey = "ecdsa-p384"/'
  ca_is_down
  take_up
}

a_fault 2.20 rehearsal_fails staged REHEARSAL_FAILED "" "the rehearsal fails, production would too"
rehearsal_fails() {
  at_another_ca always new_order "$(problem serverInternal 500)"
  run rehearse
  ! exited 0
}

a_fault 2.20 rehearsed_long_ago web REHEARSAL_OLD silent "the last rehearsal is a month old"
rehearsed_long_ago() {
  kill_daemon
  by_clock +29d
}

a_fault 2.20 hook_cannot_rehearse web REHEARSAL_PARTIAL shown "the hook knows no rehearsal"
hook_cannot_rehearse() {
  sed -i 's/^  rehearse).*/  rehearse) not_supported rehearse ;;/' "$folder/hooks/nginx"
  run rehearse
}
