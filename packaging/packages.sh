# What Debian 12 or newer needs to build, try and test nolapse, and how it is installed: only what
# is missing, without questions, without starting any service. Sourced by quickstart and tests/run.
# shellcheck shell=bash disable=SC2034  # the sourcing file picks a list

packages_to_build=(g++ cmake ninja-build pkg-config ccache libcurl4-openssl-dev libssl-dev
  nlohmann-json3-dev libspdlog-dev libtomlplusplus-dev libexpected-dev libcli11-dev libidn2-dev
  libmicrohttpd-dev libldns-dev libpsl-dev)
packages_to_try=(pebble nginx-light openssl curl ca-certificates)
packages_to_test=(doctest-dev clang-format jq procps systemd knot
  knot-dnsutils unbound libnginx-mod-stream python3 openssh-server openssh-client apache2-bin
  haproxy socat caddy lighttpd lighttpd-mod-openssl wrk postfix dovecot-imapd dovecot-pop3d
  postgresql python3-aiosmtpd iproute2)
packages_to_test_all=(clang libclang-rt-dev shellcheck libtcmalloc-minimal4 gcc
  ansible-core python3-apt certbot python3-certbot-dns-rfc2136 lego prometheus chromium
  python3-websockets)

# What of the given packages is not installed; another package may provide it (nginx-light: nginx).
missing_packages() {
  local package
  for package in "$@"; do
    case $package in
      nginx-light) [ ! -x /usr/sbin/nginx ] || continue ;;
      # It would take the place of a mail server that this machine has.
      postfix) [ ! -e /usr/sbin/sendmail ] || continue ;;
    esac
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      echo "$package"
  done
}

# install_packages PACKAGE…: one line and exit 1 where it cannot be done.
install_packages() {
  local missing policy=/usr/sbin/policy-rc.d made_policy=no log
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null || {
    echo "this is not Debian; install the equivalents of: ${missing[*]}" >&2
    exit 1
  }
  [ "$(id -u)" -eq 0 ] || {
    echo "packages are missing and only root can install them: apt-get install ${missing[*]}" >&2
    exit 1
  }
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  log=$(mktemp)
  # A package that brings a service would start it, and nginx would take port 80.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made_policy=yes
  fi
  local result=0
  {
    apt_get update && apt_get install --yes --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 </dev/null || result=1
  [ "$made_policy" = no ] || rm -f "$policy"
  if [ "$result" -ne 0 ]; then
    grep '^[EW]:' "$log" | tail -n 3 >&2
    echo "the packages could not be installed; the whole output is in $log" >&2
    exit 1
  fi
  rm -f "$log"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@"
}
