# The scene of the end-to-end tests: a Pebble with its name server, an nginx that starts on a
# self-signed pair, and a configuration that joins them. Everything lies in one folder that is gone
# afterwards. Sourced; bash. Tests call the program itself, as an operator would.
# shellcheck shell=bash disable=SC2034  # tests read what is set here

scene_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=../sentences.sh
. "$scene_top/tests/sentences.sh"
# shellcheck source=../servers/servers.sh
. "$scene_top/tests/servers/servers.sh"
NOLAPSE=${NOLAPSE:-$scene_top/build/dev/agent/nolapse}

# open_scene: sets folder, http_port, https_port and what the servers set.
open_scene() {
  [ -x "$NOLAPSE" ] || die "there is no $NOLAPSE; build it or set NOLAPSE"
  folder=$(mktemp -d)
  chmod 755 "$folder"
  trap 'stop_servers; rm -rf "$folder"' EXIT
  trap 'exit 1' HUP INT TERM
  http_port=$(free_port)
  https_port=$(free_port)
  start_name_server "$folder"
  start_pebble "$folder" "$http_port"
}

# open_nginx [COMMAND…]: nginx for shop.test, serving a self-signed pair until it is given another.
open_nginx() {
  write_nginx_configuration "$folder" shop.test "$https_port"
  self_signed "$folder/first" shop.test
  ln -s "$folder/first" "$folder/pairs/shop"
  first=$(fingerprint <"$folder/first/fullchain.pem")
  start_nginx "$folder" "$https_port" "$@"
}

# write_configuration [KEY=VALUE…]: for a test that wants one of the variables below otherwise.
write_configuration() {
  local state_dir=$folder/state directory=$ca_directory roots=$ca_roots extra='' user=''
  local challenge="listen = \"127.0.0.1:$http_port\"" domains='"shop.test"' global=''
  [ $# -eq 0 ] || local "$@"
  cat >"$folder/nolapse.toml" <<TOML
state_dir = "$state_dir"
contact   = ["mailto:ops@shop.test"]
resolver  = "$name_server"
$global
[[ca]]
name         = "pebble"
directory    = "$directory"
roots        = "$roots"
issuer_roots = "$ca_issuer_roots"
terms_of_service_agreed = true
rate_limits  = "none"

[challenge.web]
type   = "http-01"
$challenge
validation_port = $http_port

[[certificate]]
name      = "shop"
domains   = [$domains]
challenge = "web"
deploy    = ["nginx"]
endpoints = ["shop.test:$https_port"]
$extra
[deploy.nginx]
hook = "$scene_top/deploy-hooks/nginx"
$user
[deploy.nginx.env]
NGINX_BIN          = "$(nginx_program)"
NGINX_CONF         = "$folder/nginx.conf"
NGINX_PREFIX       = "$folder"
NGINX_CERTIFICATES = "$folder/pairs"

[[alerts.channel]]
name    = "one"
type    = "exec"
program = "/bin/true"
[[alerts.channel]]
name    = "another"
type    = "exec"
program = "/usr/bin/true"
TOML
}

# run ARGUMENT…: nolapse with that configuration. Sets status, out and said (stderr).
run() {
  out=$(timeout 120 "$NOLAPSE" --config "$folder/nolapse.toml" "$@" 2>"$folder/said" </dev/null)
  status=$?
  said=$(cat "$folder/said")
}

# prove_anew ARGUMENT…: run, as an account that has proved nothing yet. Pebble reuses one
# authorization of a hundred even at PEBBLE_AUTHZREUSE=0, and half of them else.
prove_anew() {
  rm -rf "$folder/state/accounts"
  run "$@"
}

# exited STATUS: shows what was said where it is another one.
exited() {
  equal "the exit status" "$1" "$status" || {
    printf '%s\n%s\n' "$out" "$said"
    return 1
  }
}

# answer JQ_FILTER: a value out of the JSON document on stdout.
answer() { jq -r "$1" <<<"$out"; }

# told PATTERN: one line of what was said has it.
told() { matches "what was said" "$1" "$out$said"; }

# The live pair matches, and tmp/ has nothing but what a saved order still needs.
state_is_whole() {
  local link=$folder/state/live/shop left wanted=
  left=$(ls -A "$folder/state/tmp" 2>/dev/null)
  if [ -e "$folder/state/certificates/shop/issuance.json" ]; then
    wanted=shop.$(jq .generation "$folder/state/certificates/shop/issuance.json")
  fi
  equal "what lies in the state directory's tmp" "$wanted" "$left" || return
  [ -L "$link" ] || return 0
  equal "the key of the live pair" "$(openssl x509 -in "$link/fullchain.pem" -noout -pubkey)" \
    "$(openssl pkey -in "$link/privkey.pem" -pubout)"
}
