# What can be proved about a pair where the service itself tells too little: that openssl would
# serve with it, that the service's user can read it, that an endpoint does serve it. Sourced behind
# lib.sh by the hooks of services that may read their pair at any moment, or that go on with the
# former one when they cannot load a new one.
#
# Such a hook sets service (its name for the operator), test_name, and service_user where that is
# not the hook's own, and defines configuration_is_good (sets verdict, what the service said).
# shellcheck shell=sh disable=SC2154

missing_pair() { :; }
service_user=

require_openssl() {
  command -v openssl >/dev/null 2>&1 ||
    refuse "openssl was not found in $PATH; the hook judges pairs and services with it, install it"
}

# openssl_takes FULLCHAIN PRIVKEY: whether a server built on openssl could serve with them: the key
# is the certificate's, and neither is too weak for this machine's security level. s_client loads
# both before it finds nobody to connect to.
openssl_takes() {
  verdict=$(openssl s_client -cert "$1" -cert_chain "$1" -key "$2" -unix /nowhere 2>&1 </dev/null)
  case $verdict in
    *connect:errno=*) return 0 ;;
    *) return 1 ;;
  esac
}

require_pair_that_serves() {
  openssl_takes "$NOLAPSE_FULLCHAIN" "$NOLAPSE_PRIVKEY" && return
  last_lines
  fail "openssl cannot serve with $NOLAPSE_FULLCHAIN and its key; nothing was installed"
}

# install_judged ROOT: the pair and the configuration are judged first and switched to afterwards.
install_judged() {
  require_word NOLAPSE_GENERATION
  require_pair
  open_pair "$1"
  require_pair_that_serves
  configuration_is_good || {
    last_lines
    fail "$test_name refuses the configuration; nothing was installed"
  }
  switch_pair
  user_can cat "$pair_link/fullchain.pem" "$pair_link/privkey.pem" || {
    restore_pair
    fail "$service_user cannot read $pair_link, see the folders above it; it was taken back"
  }
  accept_pair
}

# user_can COMMAND…: whether the service's user can, as far as the hook is allowed to find out.
user_can() {
  if [ -z "$service_user" ]; then return 0; fi
  as_user "$service_user" "$@" >/dev/null 2>&1
}

# require_reachable PATH: for the service's user, as far as the folders above are there already.
require_reachable() {
  folder=$(existing_folder "$1")
  user_can test -x "$folder" ||
    fail "$service_user cannot enter $folder, so it could not read a pair in there; open it"
}

leaf_fingerprint() { openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//'; }

# The name that a client would ask for, from the leaf.
first_name() {
  openssl x509 -noout -ext subjectAltName 2>/dev/null <"$1" |
    sed -n 's/^[^:]*DNS:\([^,]*\).*/\1/p' | sed 's/^\*/www/'
}

# require_endpoints VARIABLE: ADDRESS:PORT[#NAME][!PROTOCOL], as in `endpoints` of a certificate.
require_endpoints() {
  eval "value=\${$1-}"
  [ "$value" != none ] || return 0
  for endpoint in $value; do
    case $endpoint in
      [:!#]* | *[!A-Za-z0-9.:_#!\[\]-]*) ;;
      *:[0-9a-z]*) continue ;;
    esac
    refuse "$1 has '$endpoint'; an endpoint is ADDRESS:PORT[#NAME][!PROTOCOL], or all is: none"
  done
}

# served ENDPOINT: the leaf's fingerprint, after a whole handshake; nothing where there is none.
served() {
  protocol=
  case $1 in *!*) protocol=${1##*!} ;; esac
  endpoint=${1%%!*}
  case $endpoint in
    *#*) name=${endpoint#*#} ;;
    *) name=$(first_name "$expected") ;;
  esac
  reply=$(timeout 5 openssl s_client -connect "${endpoint%%#*}" ${name:+-servername "$name"} \
    ${protocol:+-starttls "$protocol"} 2>/dev/null </dev/null) || return 0
  printf '%s\n' "$reply" | leaf_fingerprint
}

# wait_until_served ADVICE ENDPOINT…: returns once all of them serve the installed pair. A service
# may take some time to replace its processes, but not for ever.
wait_until_served() {
  advice=$1
  shift
  [ $# -gt 0 ] || warn "nobody knows where $service serves TLS; what it serves was not looked at"
  if [ "${1-}" = none ]; then return; fi
  wanted=$(leaf_fingerprint <"$expected")
  for each in "$@"; do
    within 15 serves_expected "$each" && continue
    [ -n "$found" ] || fail "$each has no TLS handshake after the reload; $advice"
    fail "$each serves another certificate than the installed one after the reload; $advice"
  done
}

serves_expected() {
  found=$(served "$1")
  [ "$found" = "$wanted" ]
}

# require_installed ROOT: what a reload is about. Sets expected, the chain that has to be served.
require_installed() {
  require_word NOLAPSE_NAME
  pair_link=$1/$NOLAPSE_NAME
  expected=$pair_link/fullchain.pem
  [ -f "$pair_link/fullchain.pem" ] || fail "$pair_link holds no pair; install one first"
}
