# The zone: servers that lag, credentials that are refused, records that forbid. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

# again WHICH SED_COMMAND…: that name server with another configuration.
primary_again() {
  sed -i "$@" "$zone_folder/primary/knot.conf"
  stop_server "$knot_pid"
  start_server Knot 53 "$zone_folder/primary/log" knotd -c "$zone_folder/primary/knot.conf"
  knot_pid=$server_pid
}
secondary_again() {
  sed -i "$@" "$zone_folder/secondary/knot.conf"
  stop_server "$secondary_pid"
  start_secondary "$zone_folder"
}

a_fault 2.5 secondary_dead zone DNS01_NOT_SEEN "deep peers" "one of two name servers is dead"
secondary_dead() { stop_server "$secondary_pid"; }

a_fault 2.5 secondary_stale zone DNS01_NOT_SEEN "deep quick peers" \
  "one of two name servers does not follow any more"
secondary_stale() { secondary_again 's/address: 127.0.0.1@53/address: 127.0.0.6@53/'; }

a_fault 2.5 secondary_lame zone DNS01_NOT_SEEN "deep peers" \
  "one of two name servers does not know the zone"
secondary_lame() { secondary_again '/domain: shop.test/,$d'; }

a_fault 2.5 delegated_elsewhere zone DNS01_WRITE_FAILED "deep peers" \
  "the proof's name leads to a zone that may not be changed"
delegated_elsewhere() {
  # No CNAME is taken beside the record of a probe.
  change_zone "del _acme-challenge.shop.test. TXT" \
    "add _acme-challenge.shop.test. 60 CNAME proof.other.test."
  primary_again '/domain: test$/,/acl:/s/acl: .*/acl: [transfer]/'
}

a_fault 2.7 key_revoked zone DNS01_WRITE_FAILED "deep quick peers" \
  "the name server has another key now"
key_revoked() {
  primary_again 's|secret: .*|secret: c2VjcmV0IG9mIHNvbWVib2R5IGVsc2UgZW50aXJlbHk=|'
}

a_fault 2.7 right_withdrawn zone DNS01_WRITE_FAILED "deep peers" \
  "the key may not change the zone any more"
right_withdrawn() { primary_again 's/acl: \[update, transfer\]/acl: [transfer]/'; }

a_fault 2.7 key_file_gone zone CONFIG_BROKEN peers "the key file is gone"
key_file_gone() { rm "$folder/tsig.key"; }
key_file_gone_for_peers() {
  rm "$folder/certbot.ini"
  unset RFC2136_TSIG_SECRET
}

a_fault 2.7 token_expired provider DNS01_WRITE_FAILED deep "the provider's token has expired"
token_expired() {
  printf '#!/bin/sh\necho "401: the token expired yesterday" >&2\nexit 1\n' >"$folder/provider"
}

a_fault 2.7 token_cannot_remove provider DNS01_CLEANUP_FAILED deep \
  "the provider's token may add records, not remove them"
token_cannot_remove() {
  sed -i 's/^  remove).*/  remove) echo "403: not yours to delete" >\&2; exit 1 ;;/' \
    "$folder/provider"
}

a_fault 2.19 provider_gone provider TOOL_MISSING "" "the provider's program is gone"
provider_gone() { rm "$folder/provider"; }

a_fault 2.19 provider_not_executable provider TOOL_MISSING "" \
  "the provider's program may not be executed"
provider_not_executable() { chmod -x "$folder/provider"; }

a_fault 2.7 permanent_record_gone persist PERSIST_RECORD_MISSING deep "the permanent record is gone"
permanent_record_gone() { change_zone "del _validation-persist.shop.test. TXT"; }

a_fault 2.13 permanent_record_of_other_account persist PERSIST_RECORD_MISSING deep \
  "the permanent record names another account"
permanent_record_of_other_account() {
  change_zone "del _validation-persist.shop.test. TXT" "add _validation-persist.shop.test. 60 TXT \
\"pebble.letsencrypt.org; accounturi=https://localhost/my-account/9\""
}

a_fault 2.7 permanent_record_ends persist PERSIST_RECORD_EXPIRES deep \
  "the permanent record ends before the next renewal"
permanent_record_ends() {
  change_zone "del _validation-persist.shop.test. TXT" "add _validation-persist.shop.test. 60 TXT \
${record%\"}; persistUntil=$(($(date +%s) + 20 * 86400))\""
}

a_fault 2.5 signatures_bogus signed DNSSEC_BOGUS "deep alone" \
  "the parent names another key than the zone is signed with"
signatures_bogus() {
  sed -i 's|trust-anchor: .*|trust-anchor: "shop.test. DS 1 13 2 '"$(printf 'ab%.0s' {1..32})"'"|' \
    "$zone_folder/unbound.conf"
  start_resolver_again
}

# caa FLAGS TAG VALUE: the only one.
caa() { change_zone "add shop.test. 60 CAA $1 $2 \"$3\""; }

# A CA that looks at CAA refuses then; Pebble does not look.
refused_for_caa() {
  "$1"
  at_the_ca always finalize "$(problem caa 403)"
}

a_fault 2.6 caa_other_ca web CAA_FORBIDS_CA "deep quick peers" "CAA allows another CA only"
caa_other_ca() { caa 0 issue ca.example; }
caa_other_ca_for_peers() { refused_for_caa caa_other_ca; }

a_fault 2.6 caa_other_account web CAA_FORBIDS_CA "deep peers" "CAA names another account"
caa_other_account() {
  caa 0 issue "pebble.letsencrypt.org; accounturi=https://localhost/my-account/9"
}
caa_other_account_for_peers() { refused_for_caa caa_other_account; }

a_fault 2.6 caa_other_method web CAA_FORBIDS_CA "deep peers" "CAA allows another way of proof only"
caa_other_method() { caa 0 issue "pebble.letsencrypt.org; validationmethods=dns-01"; }
caa_other_method_for_peers() { refused_for_caa caa_other_method; }

a_fault 2.6 caa_unknown_tag web CAA_FORBIDS_CA "deep peers" \
  "CAA has a critical tag that no CA knows"
caa_unknown_tag() { caa 128 tbs unknown; }
caa_unknown_tag_for_peers() { refused_for_caa caa_unknown_tag; }

a_fault 2.6 caa_no_wildcards zone CAA_FORBIDS_CA "deep peers" "CAA forbids wildcards"
caa_no_wildcards() { caa 0 issuewild ";"; }
caa_no_wildcards_for_peers() { refused_for_caa caa_no_wildcards; }

a_fault 2.6 caa_above_broken web CAA_LOOKUP_FAILED "deep peers" \
  "CAA above the name cannot be looked up"
caa_above_broken() {
  primary_again '/domain: test$/,/acl:/d'
  secondary_again '/domain: test$/,/zonefile-load:/d'
}
caa_above_broken_for_peers() { refused_for_caa caa_above_broken; }
