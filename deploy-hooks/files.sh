# A certificate as files for any service, with owner, group and mode: what the hooks files and
# systemd share. Sourced behind lib.sh and proof.sh.
#
# All files of a certificate stand in one copy, see lib.sh, and the configured paths are links into
# ROOT/NAME: one rename switches all of them. Files that stood there before become the first copy,
# so that not even the first installation shows a new certificate beside an old key. A single file
# can be replaced by itself instead (FILES_PLAIN), for services that follow no links.
# shellcheck shell=sh disable=SC2034,SC2154

# The files by their names in a copy, and the settings that hold their paths.
file_names='fullchain.pem cert.pem chain.pem privkey.pem combined.pem keystore.p12'

setting_of() {
  case $1 in
    fullchain.pem) echo FILES_FULLCHAIN ;;
    cert.pem) echo FILES_CERT ;;
    chain.pem) echo FILES_CHAIN ;;
    privkey.pem) echo FILES_PRIVKEY ;;
    combined.pem) echo FILES_PEM ;;
    keystore.p12) echo FILES_PKCS12 ;;
  esac
}

# path_of NAME: nothing where that file is not wanted.
path_of() { eval "printf '%s\n' \"\${$(setting_of "$1")-}\""; }

wanted_files() {
  for name in $file_names; do
    if [ -n "$(path_of "$name")" ]; then printf '%s\n' "$name"; fi
  done
}

read_file_settings() {
  require_openssl
  FILES_CERTIFICATES=${FILES_CERTIFICATES:-/etc/ssl/nolapse}
  require_root FILES_CERTIFICATES
  FILES_PEM_PARTS=${FILES_PEM_PARTS:-fullchain privkey}
  FILES_MODE=${FILES_MODE:-600}
  FILES_PUBLIC_MODE=${FILES_PUBLIC_MODE:-644}
  require_mode FILES_MODE
  require_mode FILES_PUBLIC_MODE
  require_account FILES_OWNER passwd user
  require_account FILES_GROUP group group
  require_account FILES_READER passwd user
  if [ -n "${FILES_READER-}" ] && [ "$(id -u)" -ne 0 ] && [ "$(id -un)" != "$FILES_READER" ]; then
    refuse "FILES_READER is '$FILES_READER', and only root can look as another user"
  fi
  for part in $FILES_PEM_PARTS; do
    case $part in
      fullchain | cert | chain | privkey) ;;
      *) refuse "FILES_PEM_PARTS has '$part'; parts are fullchain, cert, chain and privkey" ;;
    esac
  done
  for name in $(wanted_files); do require_place "$(setting_of "$name")"; done
  if [ -n "${FILES_PKCS12-}" ]; then
    [ -n "${FILES_PKCS12_PASSWORD_FILE-}" ] ||
      refuse "FILES_PKCS12_PASSWORD_FILE is not set; it is a file with the password of FILES_PKCS12"
    require_file FILES_PKCS12_PASSWORD_FILE
  fi
  case ${FILES_PLAIN-no} in
    no) ;;
    yes) [ "$(wanted_files | wc -l)" -le 1 ] ||
      refuse "FILES_PLAIN is yes, but two files are never replaced at one moment; set one path" ;;
    *) refuse "FILES_PLAIN is '$FILES_PLAIN'; it is yes or no" ;;
  esac
}

require_mode() {
  eval "value=\$$1"
  case $value in
    *[!0-7]* | ????? | *[2367]) refuse "$1 is '$value'; it is a mode such as 640" ;;
    *) eval "$1=\${value#0}" ;;
  esac
}

# require_account VARIABLE DATABASE WHAT
require_account() {
  eval "value=\${$1-}"
  if [ -z "$value" ]; then return; fi
  require_word "$1"
  getent "$2" "$value" >/dev/null || refuse "$1 is '$value'; there is no such $3"
}

# require_place VARIABLE: a path whose folder is there.
require_place() {
  require_path "$1"
  case $value in
    */ | "$FILES_CERTIFICATES"/*) refuse "$1 is '$value'; it has to be a file of its own" ;;
  esac
  [ -d "${value%/*}/" ] || refuse "$1 is $value, and there is no folder ${value%/*}; create it"
  [ ! -d "$value" ] || refuse "$1 is $value, which is a folder"
}

# part NAME FOLDER: of the leaf's chain, the first certificate or the others.
part() {
  case $1 in
    cert) awk '/-----BEGIN /{ n++ } n == 1' "$2/fullchain.pem" ;;
    chain) awk '/-----BEGIN /{ n++ } n > 1' "$2/fullchain.pem" ;;
    *) cat "$2/$1.pem" ;;
  esac
}

combined() { for part in $FILES_PEM_PARTS; do part "$part" "$1" || return; done; }

# The password is read by openssl itself; it is in no command line and in no environment.
keystore() {
  openssl pkcs12 -export -in "$1/fullchain.pem" -inkey "$1/privkey.pem" -name "$NOLAPSE_NAME" \
    -passout "file:$FILES_PKCS12_PASSWORD_FILE" </dev/null
}

# keystore_opens FOLDER: with the password, and with the pair in it.
keystore_opens() {
  key=$(openssl pkcs12 -in "$1/keystore.p12" -passin "file:$FILES_PKCS12_PASSWORD_FILE" \
    -nocerts -nodes 2>/dev/null </dev/null | openssl pkey -pubout 2>/dev/null) &&
    [ "$key" = "$(openssl pkey -in "$1/privkey.pem" -pubout 2>/dev/null </dev/null)" ]
}

mode_of() {
  case $1 in
    fullchain.pem | cert.pem | chain.pem) echo "$FILES_PUBLIC_MODE" ;;
    *) echo "$FILES_MODE" ;;
  esac
}

complete_copy() {
  for name in $(wanted_files); do
    case $name in
      cert.pem | chain.pem) part "${name%.pem}" "$1" >"$1/$name" ;;
      combined.pem) combined "$1" >"$1/$name" ;;
      keystore.p12) keystore "$1" >"$1/$name" ;;
    esac || return
    set_rights "$1/$name" "$(mode_of "$name")" || return
  done
  # Who may read a file is the file's affair.
  chmod 711 "$1" ${pair_root:+"$pair_root" "$pair_copies"}
}

set_rights() {
  { [ -z "${FILES_OWNER-}" ] || chown "$FILES_OWNER" "$1"; } &&
    { [ -z "${FILES_GROUP-}" ] || chgrp "$FILES_GROUP" "$1"; } && chmod "$2" "$1"
}

copy_is_complete() {
  for name in $(wanted_files); do
    rights=$(stat -c "%a ${FILES_OWNER:+%U} ${FILES_GROUP:+%G}" "$1/$name" 2>/dev/null)
    [ "$rights" = "$(mode_of "$name") ${FILES_OWNER-} ${FILES_GROUP-}" ] || return
    case $name in
      cert.pem | chain.pem) part "${name%.pem}" "$1" | cmp -s - "$1/$name" ;;
      combined.pem) combined "$1" | cmp -s - "$1/$name" ;;
      keystore.p12) keystore_opens "$1" ;;
    esac || return
  done
}

# Before the first installation: files that stand at the paths already become the first copy. A run
# that was killed in here is completed by the next one.
adopt_files() {
  if [ "${FILES_PLAIN-no}" = yes ]; then return; fi
  case $(readlink "$pair_link") in
    "$NOLAPSE_NAME.d/before") place_adopted; return ;;
    ?*) return ;;
  esac
  new=$pair_copies/.new.adopted
  for name in $(wanted_files); do
    path=$(path_of "$name")
    if [ ! -f "$path" ] || [ -L "$path" ]; then continue; fi
    { mkdir -p "$new" && chmod 711 "$new" "$pair_root" "$pair_copies" &&
      cp -p "$path" "$new/$name"; } || fail "$path could not be copied to $new; is the disk full?"
  done
  [ -d "$new" ] || return 0
  rm -rf "$pair_copies/before"
  { sync "$new"/* "$new" && mv -T "$new" "$pair_copies/before" &&
    switch_link "$NOLAPSE_NAME.d/before"; } ||
    fail "the files that stood there before could not be copied; is the disk full?"
  place_adopted
}

place_adopted() {
  place_files || fail "the files that stood there before could not be replaced; is the disk full?"
}

# Each path leads to its file in ROOT/NAME, as far as there is one, or is a copy of it.
place_files() {
  for name in $(wanted_files); do
    [ -e "$pair_link/$name" ] || continue
    path=$(path_of "$name")
    if is_placed "$path" "$pair_link/$name"; then continue; fi
    place_file "$pair_link/$name" "$path" || {
      rm -f "$path.nolapse-new"
      return 1
    }
    pair_result=changed
  done
}

# place_file FILE PATH
place_file() {
  rm -f "$2.nolapse-new"
  if [ "${FILES_PLAIN-no}" = yes ]; then
    cp -p "$1" "$2.nolapse-new" && sync "$2.nolapse-new"
  else
    ln -s "$1" "$2.nolapse-new"
  fi && mv -T "$2.nolapse-new" "$2" && sync "${2%/*}/"
}

# is_placed PATH FILE
is_placed() {
  if [ "${FILES_PLAIN-no}" = yes ]; then
    [ -f "$1" ] && [ ! -L "$1" ] && cmp -s "$1" "$2" &&
      [ "$(stat -c '%a %u %g' "$1")" = "$(stat -c '%a %u %g' "$2")" ]
  else
    [ "$(readlink "$1")" = "$2" ]
  fi
}

# A service that cannot read its key starts without TLS, or with a certificate that nobody trusts.
# Its user has to be let through the folders above, too.
readable_by_reader() {
  if [ -z "${FILES_READER-}" ]; then return; fi
  for name in $(wanted_files); do
    path=$(path_of "$name")
    if [ -e "$path" ] && ! as_user "$FILES_READER" test -r "$path"; then
      unreadable="the user $FILES_READER cannot read $path"
      return 1
    fi
  done
}

install_files() {
  require_word NOLAPSE_GENERATION
  require_pair
  open_pair "$FILES_CERTIFICATES"
  require_pair_that_serves
  adopt_files
  switch_pair
  place_files || {
    restore_pair
    fail "the files cannot be written, the former ones are back; is the disk full?"
  }
  readable_by_reader || {
    restore_pair
    fail "$unreadable, the former files are back; see owner, group, mode and the folders above"
  }
  accept_pair
}

require_placed() {
  require_installed "$FILES_CERTIFICATES"
  for name in $(wanted_files); do
    is_placed "$(path_of "$name")" "$pair_link/$name" ||
      fail "$(path_of "$name") is not what was installed; run install again"
  done
}

check_files() {
  require_word NOLAPSE_NAME
  require_places "$FILES_CERTIFICATES/$NOLAPSE_NAME.d"
  for name in $(wanted_files); do
    path=$(path_of "$name")
    require_places "${path%/*}/"
  done
  readable_by_reader || fail "$unreadable; see owner, group, mode and the folders above"
  if [ -n "${NOLAPSE_FULLCHAIN-}" ] && [ -n "${NOLAPSE_PRIVKEY-}" ]; then require_pair; fi
}

# The same files in a shadow folder, read back.
rehearse_files() {
  require_pair
  require_pair_that_serves
  make_shadow
  shadow_pair
  copy_is_complete "$shadow/pair" ||
    fail "the files written to $shadow could not be read back; see owner, group, mode and password"
}
