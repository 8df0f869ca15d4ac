# The scene of tests/end_to_end/diagnose: how diagnose is asked and what it said, sites of nginx,
# and a small PKI of openssl's: a root, an intermediate that issues and revokes, and another root
# that nobody trusts. Dates are free, which is what ACME servers of tests are not. Sourced; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # tests set and read what is here

# open_diagnose_scene: sets folder, and slowest: of all that diagnose was asked, in milliseconds.
open_diagnose_scene() {
  [ -x "$NOLAPSE" ] || die "there is no $NOLAPSE; build it or set NOLAPSE"
  folder=$(mktemp -d)
  chmod 755 "$folder"
  trap 'stop_servers; rm -rf "$folder"' EXIT
  trap 'exit 1' HUP INT TERM
  make_authorities "$folder"
  slowest=0
  clock=()
  mkdir "$folder/no_sites" "$folder/logs"
  : >"$folder/no_sites/nginx.conf"
}

# diagnose ARGUMENT…: sets status, out, said, first (the first line) and took (in ms). What is
# on this machine's own disk is none of the test's business, unless `servers` names a file.
diagnose() {
  local began
  began=$(date +%s%3N)
  out=$(NOLAPSE_CONFIG=${config:-/etc/nolapse/nolapse.toml} timeout 20 "${clock[@]}" "$NOLAPSE" \
    diagnose --roots "${roots:-$folder/pki/root.pem}" --server-config \
    "${servers:-$folder/no_sites/nginx.conf}" "$@" 2>"$folder/said" </dev/null)
  status=$?
  took=$(($(date +%s%3N) - began))
  [ "$took" -le "$slowest" ] || slowest=$took
  said=$(cat "$folder/said")
  first=${out%%$'\n'*}
}

# answers STATUS PATTERN CODE: of what diagnose said.
answers() {
  if equal "the exit status" "$1" "$status" && matches "the first line" "$2" "$first" &&
    matches "the code" "^  code: $3\$" "$out"; then
    return 0
  fi
  printf '%s\n%s\n' "$out" "$said"
  return 1
}
fix_is() { matches "the fix" "^  fix:  $1" "$out"; }
has_line() { matches "what was said" "$1" "$out$said"; }
not_told() { ! grep -E -e "$1" <<<"$out"; }
quick() { [ "$took" -lt 2000 ] || { echo "it took $took ms"; return 1; }; }

# at PORT: the arguments that ask for shop.test there.
at() { printf -- '--resolve shop.test:%s:127.0.0.1 https://shop.test:%s/' "$1" "$1"; }

# site PORT PAIR [LINE…]: of nginx; `file` is what it shows of the pair, or fullchain
site() {
  printf 'server { listen 127.0.0.1:%s ssl; server_name shop.test;\n' "$1"
  printf 'ssl_certificate %s; ssl_certificate_key %s;\n' "$folder/pki/$2/${file:-fullchain}.pem" \
    "$folder/pki/$2/privkey.pem"
  printf '%s\n' "${@:3}" '}'
}

# head_of_configuration NAME: what comes before the sites of an nginx.
head_of_configuration() {
  cat <<CONF
pid $folder/$1.pid;
error_log $folder/logs/$1.log;
worker_processes 1;
daemon off;
events { worker_connections 64; }
http {
access_log off;
client_body_temp_path $folder/logs/body;
proxy_temp_path $folder/logs/proxy;
fastcgi_temp_path $folder/logs/fastcgi;
uwsgi_temp_path $folder/logs/uwsgi;
scgi_temp_path $folder/logs/scgi;
CONF
}

# start_nginx_named NAME PORT
start_nginx_named() {
  start_server nginx "$2" "$folder/logs/$1.out" "$(nginx_program)" -p "$folder" \
    -c "$folder/$1/nginx.conf" -e "$folder/logs/$1.log"
}

# make_authorities FOLDER: below FOLDER/pki; root.pem is what clients trust.
make_authorities() {
  pki=$1/pki
  mkdir -p "$pki/db"
  : >"$pki/db/index.txt"
  echo 1000 >"$pki/db/serial"
  echo 01 >"$pki/db/crlnumber"
  cat >"$pki/openssl.cnf" <<CONF
[ca]
default_ca = own
[own]
database = $pki/db/index.txt
serial = $pki/db/serial
crlnumber = $pki/db/crlnumber
new_certs_dir = $pki/db
default_md = sha256
default_days = 90
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
CONF
  local name
  for name in root elsewhere; do
    openssl req -x509 -config "$pki/openssl.cnf" -extensions authority -newkey ec \
      -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$name" \
      -keyout "$pki/$name.key" -out "$pki/$name.pem" 2>/dev/null || die "no $name"
  done
  make_request inter inter
  openssl x509 -req -in "$pki/inter.csr" -CA "$pki/root.pem" -CAkey "$pki/root.key" -days 3650 \
    -set_serial 2 -extfile "$pki/openssl.cnf" -extensions authority -out "$pki/inter.pem" \
    2>/dev/null || die "no intermediate"
}

# make_request FILE NAME
make_request() {
  openssl req -new -config "$pki/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=$2" -keyout "$pki/$1.key" -out "$pki/$1.csr" 2>/dev/null || die "no request"
}

# issue FILE NAME [FROM UNTIL]: pki/FILE/{privkey,cert,chain,fullchain}.pem, by the intermediate or
# the `authority`; with a `crl_url` or an `ocsp_url` in it, where they are set.
issue() {
  local by=${authority:-inter} folder=$pki/$1 dates=()
  make_request "$1" "$2"
  mkdir -p "$folder"
  mv "$pki/$1.key" "$folder/privkey.pem"
  {
    printf '[leaf]\nsubjectAltName = DNS:%s\nbasicConstraints = CA:false\n' "$2"
    [ -z "${crl_url-}" ] || printf 'crlDistributionPoints = URI:%s\n' "$crl_url"
    [ -z "${ocsp_url-}" ] || printf 'authorityInfoAccess = OCSP;URI:%s\n' "$ocsp_url"
  } >"$folder/leaf.cnf"
  [ $# -lt 4 ] || dates=(-startdate "$3" -enddate "$4")
  openssl ca -batch -notext -config "$pki/openssl.cnf" -cert "$pki/$by.pem" \
    -keyfile "$pki/$by.key" -in "$pki/$1.csr" -extfile "$folder/leaf.cnf" -extensions leaf \
    -out "$folder/cert.pem" "${dates[@]}" 2>"$folder/log" ||
    die "no certificate for $1: $(tail -n 2 "$folder/log")"
  cp "$pki/$by.pem" "$folder/chain.pem"
  cat "$folder/cert.pem" "$folder/chain.pem" >"$folder/fullchain.pem"
}

as_intermediate() {
  openssl ca -config "$pki/openssl.cnf" -cert "$pki/inter.pem" -keyfile "$pki/inter.key" "$@" \
    2>/dev/null
}

# revoke FILE REASON; publish_list FILE: the list of all that is revoked, in DER.
revoke() { as_intermediate -revoke "$pki/$1/cert.pem" -crl_reason "$2" || die "not revoked"; }
publish_list() {
  as_intermediate -gencrl -out "$pki/list.pem" || die "no list"
  openssl crl -in "$pki/list.pem" -outform DER -out "$1"
}
