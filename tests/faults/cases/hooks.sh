# Hooks that fail without anybody knowing, and services that go on with the old certificate.
# Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

a_fault 2.2 hook_missing web HOOK_MISSING "quick peers" "the hook is gone"
hook_missing() { rm "$folder/hooks/nginx"; }
hook_missing_for_peers() { rm "$peers_hook"; }

a_fault 2.2 hook_not_executable web HOOK_NOT_EXECUTABLE peers "the hook may not be executed"
hook_not_executable() { chmod -x "$folder/hooks/nginx"; }
hook_not_executable_for_peers() { chmod -x "$peers_hook"; }

a_fault 2.2 hook_interpreter_missing web HOOK_INTERPRETER_MISSING peers \
  "the hook's interpreter is gone"
hook_interpreter_missing() { sed -i '1s|.*|#!/usr/bin/gone|' "$folder/hooks/nginx"; }
hook_interpreter_missing_for_peers() { sed -i '1s|.*|#!/usr/bin/gone|' "$peers_hook"; }

a_fault 2.2 hook_refuses web HOOK_CHECK_FAILED "deep peers" \
  "the web server's configuration is broken, so no hook can reload it"
hook_refuses() { sed -i '1i lisen 443;' "$folder/nginx.conf"; }

a_fault 2.2 hook_fails web DEPLOYMENT_FAILING "quick peers" "the hook fails"
hook_fails() {
  sed -i 's/^  install).*/  install) fail "the disk of the load balancer is full" ;;/' \
    "$folder/hooks/nginx"
  renew_in_vain
}
hook_fails_for_peers() { printf '#!/bin/sh\nexit 1\n' >"$peers_hook"; }

a_fault 2.2 hook_does_nothing web DEPLOYMENT_FAILING peers "the hook says done and did nothing"
hook_does_nothing() {
  printf '#!/bin/sh\necho changed\n' >"$folder/hooks/nginx"
  renew_in_vain
}
hook_does_nothing_for_peers() { printf '#!/bin/sh\nexit 0\n' >"$peers_hook"; }

a_fault 2.2 foreign_hook_not_executable foreign HOOK_NOT_EXECUTABLE "" \
  "a hook written for certbot may not be executed"
foreign_hook_not_executable() { chmod -x "$folder/renewal-hooks/reload"; }

a_fault 2.3 other_pair_served web NOT_SERVED "quick peers" \
  "the web server reads other files than the hook writes"
other_pair_served() { nginx_reads "s|$folder/pairs/shop/|$folder/first/|"; }

a_fault 2.3 expired_pair_served web SERVED_EXPIRED "peers" \
  "the web server serves an expired certificate"
expired_pair_served() {
  LD_PRELOAD=$servers/other_clock.so OTHER_CLOCK_OFFSET=$((-40 * 86400)) \
    self_signed "$folder/expired" shop.test
  nginx_reads "s|$folder/pairs/shop/|$folder/expired/|"
}

a_fault 2.3 one_address_differs web NOT_SERVED peers "one of two addresses serves something else"
one_address_differs() {
  local first=$folder/first server='listen [::1]:443 ssl;'
  server+=" ssl_certificate $first/fullchain.pem; ssl_certificate_key $first/privkey.pem;"
  nginx_reads -e '/listen \[::1\]:443 ssl;/d' -e "\$i server { $server }"
}

a_fault 2.3 one_address_dead web ENDPOINT_UNREACHABLE peers "one of two addresses does not answer"
one_address_dead() { nginx_reads '/listen \[::1\]:443 ssl;/d'; }

a_fault 2.3 server_dead web ENDPOINT_UNREACHABLE peers "the web server is down"
server_dead() { stop_server "$nginx_pid"; }

a_fault 2.3 no_handshake web HANDSHAKE_FAILS peers "the port speaks plain HTTP"
no_handshake() { nginx_reads 's/:443 ssl;/:443;/'; }

a_fault 2.3 not_reloaded web NOT_SERVED peers "the service was not reloaded after a renewal"
not_reloaded() {
  sed -i 's/^  reload).*/  reload) changed ;;/' "$folder/hooks/nginx"
  renew_in_vain
}
not_reloaded_for_peers() { printf '#!/bin/sh\nexit 0\n' >"$peers_hook"; }

a_fault 2.17 chain_missing web CHAIN_INVALID "quick peers" \
  "the web server serves the leaf without its chain"
chain_missing() {
  openssl x509 -in "$folder/pairs/shop/fullchain.pem" -out "$folder/leaf.pem" &&
    nginx_reads "s|$folder/pairs/shop/fullchain.pem|$folder/leaf.pem|"
}

a_fault 2.17 root_not_trusted web CHAIN_INVALID "" "clients do not trust the root"
root_not_trusted() {
  cp "$folder/first/fullchain.pem" "$folder/issuer-roots.pem"
  take_up
}
