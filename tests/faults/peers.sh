# Debian's certbot and lego in the same set-up, asked about the same faults: what would their users
# hear of it? certbot is asked by `renew --dry-run`; lego has no such thing, so its `renew` is told
# that the certificate is due. Both start from a healthy set-up, in which both succeed, and prove
# control anew (a CA that remembers proofs would hide faults from them). Sourced; bash.
# shellcheck shell=bash disable=SC2154  # scene.sh sets folder and what the servers set

peers_roots=

# peers_begin: both have a certificate, and their own word that it can be renewed.
peers_begin() {
  local peer
  peers_hook=$folder/peers-hook
  peers_roots=$servers/api/fullchain.pem
  cat >"$peers_hook" <<SH
#!/bin/sh
$(nginx_program) -t -q -p $folder -c $folder/nginx.conf && kill -HUP \$(cat $folder/nginx.pid)
SH
  chmod +x "$peers_hook"
  # lego asks the system's resolver for the name servers' addresses.
  echo 'nameserver 127.0.0.1' >"$scene/resolv.conf"
  mount --bind "$scene/resolv.conf" /etc/resolv.conf
  choose_ways
  for peer in certbot lego; do
    can "$peer" || continue
    if ! "${peer}_begins" >"$folder/$peer.said" 2>&1 || ! ask "$peer"; then
      die "$peer does not work in the healthy set-up: $(tail -n 5 "$folder/$peer.said")"
    fi
  done
}

# choose_ways: how each proves control here; one that has no way is left out.
choose_ways() {
  certbot_clock=()
  certbot_way=()
  lego_way=()
  peers_names=(shop.test www.shop.test)
  case $setup in
    web | six_days | two_cas)
      certbot_way=(--webroot -w "$folder/webroot")
      lego_way=(--http --http.webroot "$folder/webroot")
      ;;
    listen)
      certbot_way=(--standalone --http-01-port 80)
      lego_way=(--http --http.port :80)
      ;;
    alpn) lego_way=(--tls --tls.port :443) ;;
    zone)
      peers_names=(shop.test '*.shop.test')
      certbot_way=(--dns-rfc2136 --dns-rfc2136-credentials "$folder/certbot.ini"
        --dns-rfc2136-propagation-seconds 8)
      lego_way=(--dns rfc2136 --dns.resolvers "$name_server")
      write_credentials
      ;;
  esac
}

can() {
  local -n way_of=$1_way
  [ "${#way_of[@]}" -gt 0 ]
}

write_credentials() {
  local method name secret
  IFS=: read -r method name secret < <(tsig_for_tools)
  printf 'dns_rfc2136_%s = %s\n' server 127.0.0.1 port 53 name "$name" secret "$secret" \
    algorithm "${method^^}" >"$folder/certbot.ini"
  chmod 600 "$folder/certbot.ini"
  export RFC2136_NAMESERVER=127.0.0.1:53 RFC2136_TSIG_ALGORITHM=$method. \
    RFC2136_TSIG_KEY=$name RFC2136_TSIG_SECRET=$secret RFC2136_PROPAGATION_TIMEOUT=30
}

# lego is a program of Go and asks the kernel itself what time it is: only certbot's can be set.
clock_of_certbot() {
  by_clock "$1"
  certbot_clock=("${clock[@]}")
  lego_way=()
}

# peers_on_disk OPTIONS: their folders on a file system of their own, where the hook is not.
peers_on_disk() {
  local peer
  for peer in certbot lego; do
    [ -d "$folder/$peer" ] || continue
    mv "$folder/$peer" "$folder/$peer.moved" && mkdir "$folder/$peer" &&
      mount -t tmpfs -o "$1" none "$folder/$peer" &&
      cp -a "$folder/$peer.moved/." "$folder/$peer" || return
  done
}
# on_each_disk COMMAND…: in each of these folders.
on_each_disk() {
  local peer
  for peer in certbot lego; do
    [ ! -d "$folder/$peer.moved" ] || (cd "$folder/$peer" && "$@")
  done
}

run_certbot() {
  timeout 300 "${certbot_clock[@]}" env REQUESTS_CA_BUNDLE="$peers_roots" certbot "$@" -n \
    --config-dir "$folder/certbot" --work-dir "$folder/certbot.work" --logs-dir "$folder/logs"
}
certbot_begins() {
  run_certbot certonly "${certbot_way[@]}" "${peers_names[@]/#/-d}" --server "$directory" \
    --agree-tos -m ops@shop.test --deploy-hook "$peers_hook"
}
certbot_renews() { run_certbot renew --dry-run --server "$directory" --no-random-sleep-on-renew; }

run_lego() {
  timeout 300 env LEGO_CA_CERTIFICATES="$peers_roots" lego --path "$folder/lego" --accept-tos \
    --server "$directory" --email ops@shop.test "${lego_way[@]}" "${peers_names[@]/#/-d=}" "$@"
}
lego_begins() { run_lego run; }
lego_renews() { run_lego renew --days 100 --no-random-sleep --renew-hook "$peers_hook"; }

# ask PEER: sets its exit status as ours.
ask() { "${1}_renews" >"$folder/$1.said" 2>&1 </dev/null; }

# words PEER: its reason, in one line, without what differs from run to run.
words() {
  local LC_ALL=C.UTF-8 line
  line=$(sed -E -e 's/\x1b\[[0-9;]*m//g' -e 's#https?://[^ ]*/##g; s#/[^ :"]*/##g' \
    -e 's#[0-9.]+:[0-9]{4,5}##g; s#127\.[0-9.]+->[^ ]*##g; s#^[0-9/]+ [0-9:]+ ##; s#^ +##' \
    -e 's#[A-Za-z0-9_-]{40,}#…#g; s#[|\t]# #g; s#, port=[0-9]+##' "$folder/$1.said" |
    "reason_of_$1")
  if [ "${#line}" -gt 130 ]; then line=${line:0:129}…; fi
  printf '%s\n' "$line"
}
reason_of_certbot() {
  awk '/Detail: / { detail = $0; sub(/.*Detail: /, "", detail) }
    / with error: / && !error { error = $0; sub(/.* with error: /, "", error) }
    /^[^-]/ && !/log|Ask for help/ { last = $0 }
    END { print detail ? detail : error ? error : last }'
}
reason_of_lego() { grep -v '^$' | tail -n 1; }

# ask_peers FAULT: one row: fault, and for each peer its exit status (nothing: it has no such way)
# and its words.
ask_peers() {
  local name=$1 peer status row=$1
  peers_roots=$servers/api/fullchain.pem
  choose_ways
  start_daemon
  within 20 ready >/dev/null
  if declare -F "${name}_for_peers" >/dev/null; then name+=_for_peers; fi
  "$name" >"$folder/applied" 2>&1 || not_ok "$1: it can be done" "$(cat "$folder/applied")"
  for peer in certbot lego; do
    if can "$peer"; then
      status=0
      ask "$peer" || status=$?
      row+=$'\t'$status$'\t'$(words "$peer")
    else
      row+=$'\t-\t'
    fi
  done
  printf '%s\n' "$row" >>"$result/rows"
  pass "$1: $(cut -f 2- <<<"$row" | tr '\t' ' ')"
}
