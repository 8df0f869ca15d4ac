# The healthy set-ups whose services are no nginx of this host. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

# deploy_target HOOK [KEY=VALUE…]: a table of a hook with its settings.
deploy_target() {
  local setting
  printf '[deploy.%s]\nhook = "%s"\n[deploy.%s.env]\n' "$1" "$folder/hooks/$1" "$1"
  for setting in "${@:2}"; do printf '%s = "%s"\n' "${setting%%=*}" "${setting#*=}"; done
}

a_setup mail "a mail host: IMAP behind STARTTLS, and nothing else but the proof on port 80"
setup_mail() {
  services=(start_dovecot)
  cat >"$folder/dovecot.conf" <<CONF
base_dir = $folder/run
state_dir = $folder/dovecot
log_path = $folder/logs/dovecot
protocols = imap
listen = 127.0.0.1, ::1
ssl = yes
ssl_cert = <$folder/pairs/shop/fullchain.pem
ssl_key = <$folder/pairs/shop/privkey.pem
passdb {
  driver = static
  args = password=secret
}
CONF
  self_signed "$folder/pairs/first" shop.test
  ln -s first "$folder/pairs/shop"
  configure "$(listening_challenge)" \
    "$(certificate 'deploy = ["dovecot"]' 'domains = ["shop.test"]' \
      'endpoints = ["shop.test:993", "shop.test:143!imap"]')" \
    "$(deploy_target dovecot "DOVECOT_CONF=$folder/dovecot.conf" \
      "DOVECOT_CERTIFICATES=$folder/pairs")"
}
start_dovecot() {
  start_server Dovecot 993 "$folder/logs/start" /usr/sbin/dovecot -F -c "$folder/dovecot.conf"
}

a_setup haproxy "HAProxy in front, which passes the proofs on to nolapse"
setup_haproxy() {
  services=(start_haproxy)
  cat >"$folder/haproxy.cfg" <<CFG
global
  stats socket $folder/haproxy.socket level admin
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend plain
  bind 127.0.0.1:80
  bind [::1]:80
  use_backend proofs if { path_beg /.well-known/acme-challenge/ }
  http-request redirect scheme https unless { path_beg /.well-known/acme-challenge/ }
frontend shop
  bind 127.0.0.1:443 ssl crt $folder/pairs/shop.pem
  bind [::1]:443 ssl crt $folder/pairs/shop.pem
  http-request return status 200
backend proofs
  server nolapse 127.0.0.1:8080
CFG
  self_signed "$folder/pairs/first" shop.test
  cat "$folder/pairs/first"/*.pem >"$folder/pairs/first/combined.pem"
  ln -s first "$folder/pairs/shop"
  ln -s shop/combined.pem "$folder/pairs/shop.pem"
  configure '[challenge.proof]
type = "http-01"
listen = "127.0.0.1:8080"' "$(certificate 'deploy = ["haproxy"]')" \
    "$(deploy_target haproxy "HAPROXY_CONF=$folder/haproxy.cfg" \
      "HAPROXY_CERTIFICATES=$folder/pairs" "HAPROXY_PID=$folder/haproxy.pid")"
}
start_haproxy() {
  rm -f "$folder/haproxy.socket"
  start_server HAProxy 443 "$folder/logs/haproxy" \
    haproxy -W -f "$folder/haproxy.cfg" -p "$folder/haproxy.pid"
}

a_setup over_ssh "nginx is on another host, reached over ssh"
setup_over_ssh() {
  services=(start_web start_sshd)
  serve "$(plain_server)" "$(tls_server)"
  mkdir -p "$folder/far" /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
  ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"
  cp "$folder/key.pub" "$folder/authorized_keys"
  echo "[127.0.0.1]:2222 $(cut -d ' ' -f 1,2 "$folder/host_key.pub")" >"$folder/known_hosts"
  printf 'Host web1\n  HostName 127.0.0.1\n  Port 2222\n' >"$folder/ssh_config"
  cat >"$folder/sshd_config" <<CONF
Port 2222
ListenAddress 127.0.0.1
HostKey $folder/host_key
PidFile none
AuthorizedKeysFile $folder/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
CONF
  configure "$(webroot_challenge)" "$(certificate 'deploy = ["ssh"]')" \
    "$(deploy_target ssh SSH_HOOK=nginx "SSH_USER=$(id -un)" "SSH_KEY=$folder/key" \
      "SSH_KNOWN_HOSTS=$folder/known_hosts" "SSH_CONFIG=$folder/ssh_config" \
      "REMOTE_TMPDIR=$folder/far" "REMOTE_NGINX_BIN=$(nginx_program)" \
      "REMOTE_NGINX_PREFIX=$folder" "REMOTE_NGINX_CONF=$folder/nginx.conf" \
      "REMOTE_NGINX_CERTIFICATES=$folder/pairs" |
      sed 's/^\[deploy.ssh.env\]/hosts = ["web1"]\n&/')"
}
start_sshd() {
  start_server sshd 2222 "$folder/logs/sshd" /usr/sbin/sshd -D -e -f "$folder/sshd_config"
}

a_setup chosen_chain "a CA with two roots, and the second is preferred"
prepare_chosen_chain() { export PEBBLE_ALTERNATE_ROOTS=1; }
setup_chosen_chain() {
  local root
  setup_web
  curl -fsS --noproxy '*' --cacert "$ca_roots" "$ca_management/roots/1" >"$folder/other-root.pem"
  cat "$folder/other-root.pem" >>"$folder/issuer-roots.pem"
  root=$(openssl x509 -in "$folder/other-root.pem" -noout -subject -nameopt multiline |
    sed -n 's/ *commonName *= //p')
  edit "s|^staging .*|&\npreferred_chain = \"$root\"|"
}
