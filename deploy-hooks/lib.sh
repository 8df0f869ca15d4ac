# What every deploy hook shares: verbs, environment, exit status, and the pair that a service reads.
# Sourced by the hooks beside it; POSIX sh, so that it runs wherever the service does. The contract
# is in README.md.
#
# A service reads ROOT/NAME/{fullchain,privkey}.pem. ROOT/NAME is a link to an immutable copy in
# ROOT/NAME.d/, and switching it is one rename: certificate and key change together or not at all.
# While a switched pair is untested ROOT/NAME.d/.former says where to go back to, so that a hook
# killed in between is put right by the next run instead of leaving an untested pair behind.
# shellcheck shell=sh

umask 077

warn() { printf '%s\n' "$*" >&2; }

# The three ways not to succeed, see README.md.
fail() { warn "$*"; exit 1; }
refuse() { warn "$*"; exit 2; }
try_later() { warn "$*"; exit 75; }

# The last line of stdout says whether anything is different now.
changed() { echo changed; exit 0; }
unchanged() { echo unchanged; exit 0; }
pair_changed_or_not() { echo "$pair_result"; exit 0; }
not_supported() { warn "this hook does not know the verb '$1'"; exit 42; }

# require_word VARIABLE: its value becomes part of a path.
require_word() {
  eval "value=\${$1-}"
  case $value in
    '') refuse "$1 is not set; it becomes a part of a path" ;;
    [.-]* | *[!A-Za-z0-9._-]*)
      refuse "$1 is '$value'; only letters, digits, '.', '_' and '-' are allowed" ;;
  esac
}

# require_file VARIABLE
require_file() {
  eval "value=\${$1-}"
  [ -n "$value" ] || refuse "$1 is not set; it is the path of a PEM file"
  [ -f "$value" ] || refuse "$1 is $value, which is not a file"
  [ -r "$value" ] || refuse "$1 is $value, which $(id -un) cannot read"
  [ -s "$value" ] || refuse "$1 is $value, which is empty"
}

# require_path VARIABLE: absolute, and safe to write into a configuration or a pattern.
require_path() {
  eval "value=\${$1-}"
  case $value in
    /*[!A-Za-z0-9._/-]*) refuse "$1 is '$value'; only A-Z a-z 0-9 . _ / - are allowed" ;;
    /*) ;;
    *) refuse "$1 is '$value'; it has to be an absolute path" ;;
  esac
}

# The key belongs to the certificate. Without openssl the service's own test has to find out.
require_matching_pair() {
  command -v openssl >/dev/null 2>&1 || return 0
  certificate_key=$(openssl x509 -in "$NOLAPSE_FULLCHAIN" -noout -pubkey 2>/dev/null) ||
    refuse "NOLAPSE_FULLCHAIN is $NOLAPSE_FULLCHAIN, which holds no certificate"
  private_key=$(openssl pkey -in "$NOLAPSE_PRIVKEY" -pubout 2>/dev/null </dev/null) ||
    refuse "NOLAPSE_PRIVKEY is $NOLAPSE_PRIVKEY, which holds no usable private key"
  [ "$certificate_key" = "$private_key" ] ||
    fail "$NOLAPSE_PRIVKEY is not the key of $NOLAPSE_FULLCHAIN; nothing was installed"
}

require_pair() {
  require_word NOLAPSE_NAME
  require_file NOLAPSE_FULLCHAIN
  require_file NOLAPSE_PRIVKEY
  require_matching_pair
}

# The nearest folder that exists above (or at) a path.
existing_folder() {
  folder=$1
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  printf '%s\n' "$folder"
}

require_writable() {
  folder=$(existing_folder "$1")
  if [ ! -w "$folder" ]; then
    fail "$(id -un) cannot write to $folder; run the hook as its owner or change the owner"
  fi
}

# switch_link TARGET: atomically.
switch_link() {
  ln -sfn "$1" "$pair_copies/.link" && mv -T "$pair_copies/.link" "$pair_link" &&
    sync "$pair_root"
}

# open_pair ROOT: locks the certificate's place and repairs what a killed run left behind.
open_pair() {
  pair_root=$1
  pair_link=$1/$NOLAPSE_NAME
  pair_copies=$1/$NOLAPSE_NAME.d
  if [ -e "$pair_link" ] && [ ! -L "$pair_link" ]; then
    fail "$pair_link is not a link; move it away, the hook keeps its copies in $pair_copies"
  fi
  require_writable "$pair_root"
  require_writable "$pair_copies"
  mkdir -p "$pair_copies" || fail "$pair_copies cannot be created"
  if command -v flock >/dev/null 2>&1; then
    # First with a command that may fail: the shell itself would end with `exec`.
    touch "$pair_copies/.lock" || fail "$pair_copies/.lock cannot be written"
    exec 9>"$pair_copies/.lock"
    flock -w 10 9 || try_later "another hook works on $pair_link; try again later"
  fi
  if [ -L "$pair_copies/.former" ]; then
    warn "an earlier run was interrupted; $pair_link goes back to its last tested pair first"
    restore_pair
  fi
  rm -rf "$pair_copies"/.new.* "$pair_copies/.link"
}

# Copies the pair and switches to it. Sets pair_result; the caller tests the service, then calls
# accept_pair or restore_pair.
switch_pair() {
  digest=$(sha256sum <"$NOLAPSE_FULLCHAIN") || fail "$NOLAPSE_FULLCHAIN cannot be read"
  pair_copy=$NOLAPSE_GENERATION-$(printf %.12s "$digest")
  former=$(readlink "$pair_link" || true)
  pair_result=unchanged
  if ! same_pair "$pair_copies/$pair_copy"; then
    rm -rf "${pair_copies:?}/$pair_copy"
    copy_pair "$pair_copies/$pair_copy"
    pair_result=changed
  fi
  if [ "$former" != "$NOLAPSE_NAME.d/$pair_copy" ]; then
    if ! { ln -sfn "${former:-none}" "$pair_copies/.former" && sync "$pair_copies" &&
      switch_link "$NOLAPSE_NAME.d/$pair_copy"; }; then
      restore_pair
      fail "$pair_link cannot be switched to the new pair; is the disk full?"
    fi
    pair_result=changed
  fi
}

same_pair() {
  cmp -s "$NOLAPSE_FULLCHAIN" "$1/fullchain.pem" && cmp -s "$NOLAPSE_PRIVKEY" "$1/privkey.pem"
}

# A copy has its final name only once it is complete and on the disk.
copy_pair() {
  new=$(mktemp -d "$pair_copies/.new.XXXXXX") || fail "$pair_copies cannot be written"
  if ! { cat "$NOLAPSE_FULLCHAIN" >"$new/fullchain.pem" &&
    cat "$NOLAPSE_PRIVKEY" >"$new/privkey.pem" &&
    sync "$new/fullchain.pem" "$new/privkey.pem" "$new" && mv -T "$new" "$1"; }; then
    rm -rf "$new"
    fail "the pair could not be copied to $1; is the disk full?"
  fi
  sync "$pair_copies"
}

# Back to the former pair. A rename needs no room on the disk, so this works when it is full, too.
restore_pair() {
  former=$(readlink "$pair_copies/.former") || return 0
  if [ "$former" = none ]; then
    rm -f "$pair_link"
    sync "$pair_root"
    rm -f "$pair_copies/.former"
  else
    mv -T "$pair_copies/.former" "$pair_link"
    sync "$pair_root"
  fi
}

# The current and the previous copy stay, older ones go.
accept_pair() {
  previous=$(readlink "$pair_copies/.former" || true)
  rm -f "$pair_copies/.former"
  [ -n "$previous" ] || return 0
  for copy in "$pair_copies"/*; do
    case $NOLAPSE_NAME.d/${copy##*/} in
      "$NOLAPSE_NAME.d/$pair_copy" | "$previous") ;;
      *) rm -rf "$copy" ;;
    esac
  done
}
