# What every deploy hook shares: verbs, environment, exit status, and the pair that a service reads.
# Sourced by the hooks beside it; POSIX sh, so that it runs wherever the service does. The contract
# is in README.md.
#
# A service reads ROOT/NAME/{fullchain,privkey}.pem. ROOT/NAME is a link to an immutable copy in
# ROOT/NAME.d/, and switching it is one rename: certificate and key change together or not at all.
# While a switched pair is untested ROOT/NAME.d/.former says where to go back to, so that a hook
# killed in between is put right by the next run instead of leaving an untested pair behind.
# shellcheck shell=sh disable=SC2154  # the hook sets service, target, test_name, verdict

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
  if comes_without_key; then
    refuse "NOLAPSE_PRIVKEY is empty: nolapse has no key to this certificate (csr_file), and" \
      "this hook wants one; add key_file"
  fi
  require_file NOLAPSE_PRIVKEY
  require_matching_pair
}

# Only the operator has the key, and put it where the service reads it. By hand, too, that has to be
# said: a variable that was forgotten is not empty but unset.
comes_without_key() { [ "${NOLAPSE_PRIVKEY-unset}" = '' ]; }

# For a service that reads its key from a place of its own: then the chain may come alone.
require_pair_or_chain() {
  comes_without_key || { require_pair; return; }
  require_word NOLAPSE_NAME
  require_file NOLAPSE_FULLCHAIN
}

# The nearest folder that exists above (or at) a path.
existing_folder() {
  folder=$1
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  printf '%s\n' "$folder"
}

require_writable() {
  folder=$(existing_folder "$1")
  [ ! -w "$folder" ] || return 0
  me=$(id -u)
  if [ "$me" -eq 0 ] || [ "$(stat -c %u "$folder")" = "$me" ]; then
    fail "$folder cannot be written by its owner: it is on a file system that is read-only, or a" \
      "sandbox makes it so (ReadWritePaths=)"
  fi
  fail "$(id -un) cannot write to $folder; run the hook as its owner or change the owner"
}

# require_room PATH: for another pair. A disk with less is next to full.
require_room() {
  folder=$(existing_folder "$1")
  # Free and all blocks, octets of one, free and all inodes.
  # shellcheck disable=SC2046  # five numbers
  set -- $(stat -f -c '%a %b %S %d %c' "$folder")
  if [ $# -ne 5 ] || [ "$2" -eq 0 ]; then return 0; fi # nobody counts them there
  if [ $(($1 * $3)) -lt 1048576 ] || { [ "$5" -gt 0 ] && [ "$4" -lt 32 ]; }; then
    fail "the disk under $folder is almost full: $(($1 * $3 / 1024)) KiB and $4 inodes are free;" \
      "make room"
  fi
}

# require_places FOLDER…: for pairs, and what a rehearsal needs besides.
require_places() {
  TMPDIR=${TMPDIR:-/tmp}
  require_path TMPDIR
  [ -d "$TMPDIR" ] || fail "TMPDIR is $TMPDIR, which is not a folder; a rehearsal needs one"
  for place in "$@" "$TMPDIR"; do
    require_writable "$place"
    require_room "$place"
  done
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
  case $former in
    "$NOLAPSE_NAME.d/$pair_copy"*) same_pair "$pair_root/$former" && pair_copy=${former##*/} ;;
  esac
  # A copy that differs may be the one in use: it stays as it is.
  while [ -e "$pair_copies/$pair_copy" ] && ! same_pair "$pair_copies/$pair_copy"; do
    pair_copy=$pair_copy.1
  done
  if [ ! -e "$pair_copies/$pair_copy" ]; then
    copy_pair "$pair_copies/$pair_copy"
    pair_result=changed
  fi
  if [ "$former" != "$NOLAPSE_NAME.d/$pair_copy" ]; then
    if ! { ln -sfn "${former:-none}" "$pair_copies/.former" && sync "$pair_copies" &&
      switch_link "$NOLAPSE_NAME.d/$pair_copy" && pair_switched; }; then
      restore_pair
      fail "$pair_link cannot be switched to the new pair; is the disk full?"
    fi
    pair_result=changed
  else
    pair_switched
  fi
}

same_pair() {
  cmp -s "$NOLAPSE_FULLCHAIN" "$1/fullchain.pem" || return 1
  if comes_without_key; then
    [ ! -e "$1/privkey.pem" ] || return 1
  else
    cmp -s "$NOLAPSE_PRIVKEY" "$1/privkey.pem" || return 1
  fi
  copy_is_complete "$1"
}

# A copy has its final name only once it is complete and on the disk.
copy_pair() {
  new=$(mktemp -d "$pair_copies/.new.XXXXXX") || fail "$pair_copies cannot be written"
  if ! { cat "$NOLAPSE_FULLCHAIN" >"$new/fullchain.pem" &&
    { comes_without_key || cat "$NOLAPSE_PRIVKEY" >"$new/privkey.pem"; } &&
    complete_copy "$new" && sync "$new"/* "$new" && mv -T "$new" "$1"; }; then
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
    pair_switched
    rm -f "$pair_copies/.former"
  else
    mv -T "$pair_copies/.former" "$pair_link"
    sync "$pair_root"
    pair_switched
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

# What a service wants besides, a hook defines anew: require_issued looks at what is given, a pair
# unless the service has its key from elsewhere; complete_copy FOLDER adds to a new copy (or
# gives it to another user) before it gets its name; pair_switched puts right what goes with
# pair_link, whenever that has changed or was found to be right. copy_is_complete FOLDER tells
# whether a copy of the same pair has all that.
require_issued() { require_pair; }
complete_copy() { :; }
copy_is_complete() { :; }
pair_switched() { :; }

# own_copy USER FOLDER: for services that read their key after they have given up root.
own_copy() {
  if [ "$(id -u)" -ne 0 ] || [ ! -e "$2" ]; then return 0; fi
  chown -R "$1" "$2" || return
  [ -z "${pair_root-}" ] || chmod 711 "$pair_root" "$pair_copies"
}

# owns_copy USER FOLDER: whether that was done.
owns_copy() {
  [ "$(id -u)" -ne 0 ] || [ "$(stat -c %U "$2/privkey.pem")" = "$1" ]
}

# as_user USER COMMAND…: with that user's groups and home.
as_user() {
  user=$1
  shift
  if [ "$(id -u)" -ne 0 ] || [ "$user" = root ]; then
    "$@"
  else
    home=$(getent passwd "$user" | cut -d: -f6)
    HOME=$home setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups -- "$@"
  fi
}

# find_program VARIABLE PATH…: the first there is, unless the variable is set.
find_program() {
  variable=$1
  shift
  eval "value=\${$variable-}"
  if [ -z "$value" ]; then
    for value in "$@"; do
      if [ -x "$value" ]; then
        eval "$variable=\$value"
        return
      fi
    done
    refuse "the program was not found in the usual places ($*); set $variable to its path"
  fi
  require_path "$variable"
  if [ ! -f "$value" ] || [ ! -x "$value" ]; then
    refuse "$variable is $value, which is not an executable file"
  fi
}

# require_root VARIABLE: the folder that the pairs are kept in, without a slash at its end.
require_root() {
  require_path "$1"
  while [ "$value" != "${value%/}" ]; do value=${value%/}; done
  eval "$1=\$value"
}

# running_process FILE WORD: the process id in that file, if that process runs the program WORD.
running_process() {
  [ -r "$1" ] || return 1
  process=$(sed -n 1p "$1" | tr -cd 0-9)
  [ -n "$process" ] && grep -qs -e "$2" "/proc/$process/cmdline" || return 1
  printf '%s\n' "$process"
}

children() {
  cat /proc/[0-9]*/stat 2>/dev/null |
    awk -v parent="$1" '{ process = $1; sub(/^.*\) /, ""); if ($2 == parent) print process }'
}

# listening_addresses PROCESS: where it accepts connections, in the kernel's digits (0100007F:01BB).
# A table begins with the sockets that listen; a busy server has a great many others behind them.
listening_addresses() {
  {
    ls -l "/proc/$1/fd"
    for table in tcp tcp6; do
      awk '$4 == "0A" { print "socket:[" $10 "]", $2; next } NR > 1 { exit }' "/proc/$1/net/$table"
    done
  } 2>/dev/null | awk '/ -> / { own[$NF] = 1; next } $1 in own { print $2 }'
}

# replaced PARENT "OLD CHILDREN": a new child accepts connections, and no old one any more.
replaced() {
  fresh=no
  for child in $(children "$1"); do
    [ -n "$(listening_addresses "$child")" ] || continue
    case " $2 " in
      *" $child "*) return 1 ;;
      *) fresh=yes ;;
    esac
  done
  [ "$fresh" = yes ]
}

# signal_service SIGNAL PROCESS
signal_service() {
  kill -"$1" "$2" 2>/dev/null ||
    fail "$(id -un) may not signal $service (process $2); set user in [deploy.$target]"
}

# uptime: in seconds; no clock that is set goes back.
uptime() {
  read -r seconds rest </proc/uptime
  echo "${seconds%.*}"
}

# within SECONDS COMMAND…: until it succeeds.
within() {
  deadline=$(($(uptime) + $1))
  shift
  until "$@"; do
    [ "$(uptime)" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# make_shadow: an empty folder in TMPDIR, gone when the hook ends; shadow_pair puts the given pair
# into it.
make_shadow() {
  TMPDIR=${TMPDIR:-/tmp}
  require_path TMPDIR
  shadow=$(mktemp -d "$TMPDIR/nolapse-rehearsal.XXXXXX") || fail "$TMPDIR cannot be written"
  trap 'rm -rf "$shadow"' EXIT
  trap 'exit 1' HUP INT TERM
}

shadow_pair() {
  if ! { mkdir "$shadow/pair" && cat "$NOLAPSE_FULLCHAIN" >"$shadow/pair/fullchain.pem" &&
    { comes_without_key || cat "$NOLAPSE_PRIVKEY" >"$shadow/pair/privkey.pem"; } &&
    complete_copy "$shadow/pair"; }; then
    fail "the pair could not be copied to $shadow; is the disk full?"
  fi
}

# inline_configuration FILE FOLDER WORD: the file with what it includes in its place, where a
# directive WORD (in lower case; an "optional" behind it is allowed) does that, with a pattern
# relative to FOLDER. What matches nothing stays, for the service to judge.
inline_configuration() {
  awk -v top="$1" -v folder="${2%/}" -v word="$3" '
    function expanded(text,    name) {
      while (match(text, /\$\{[A-Za-z_][A-Za-z0-9_]*\}/)) {
        name = substr(text, RSTART + 2, RLENGTH - 3)
        text = substr(text, 1, RSTART - 1) (name in defined ? defined[name] : ENVIRON[name]) \
          substr(text, RSTART + RLENGTH)
      }
      return text
    }
    function inline(file, depth,    line, field, pattern, list, found) {
      while ((getline line < file) > 0) {
        split(line, field)
        if (tolower(field[1]) == "define") defined[field[2]] = field[3]
        if (tolower(field[1]) !~ "^" word "(optional)?$" || depth > 9) { print line; continue }
        pattern = expanded(field[2])
        gsub(/["\047]/, "", pattern)
        if (pattern !~ /^\//) pattern = folder "/" pattern
        found = 0
        if (pattern !~ /[^][A-Za-z0-9._*?\/-]/) {
          list = "find " pattern " -maxdepth 1 ! -type d 2>/dev/null | LC_ALL=C sort"
          while ((list | getline line) > 0) { found = 1; inline(line, depth + 1) }
          close(list)
        }
        if (!found) print field[1], "\"" pattern "\""
      }
      close(file)
    }
    BEGIN { inline(top, 0) }'
}

# A service that can test its configuration. The hook sets service (its name for the operator) and
# test_name, such as "nginx -t", and defines configuration_is_good (sets verdict, what the service
# said) and missing_pair: the name of the pair of ours, if any, that the test stopped at because it
# is not installed yet. Several new certificates come one after the other, and the first must not
# wait for the last.

last_lines() { printf '%s\n' "$verdict" | tail -n 5 >&2; }

# install_tested ROOT
install_tested() {
  require_word NOLAPSE_GENERATION
  require_issued
  open_pair "$1"
  switch_pair
  if configuration_is_good; then
    accept_pair
    return
  fi
  missing=$(missing_pair)
  if [ -n "$missing" ] && [ "$missing" != "$NOLAPSE_NAME" ]; then
    warn "$test_name could not judge the pair yet: that of '$missing' is not installed"
    accept_pair
    return
  fi
  last_lines
  restore_pair
  if [ -L "$pair_link" ]; then
    fail "$test_name refused the configuration; $pair_link was left at $(readlink "$pair_link")"
  fi
  fail "$test_name refused the configuration; there was no pair before, so $pair_link was removed"
}

require_good_configuration() {
  configuration_is_good && return 0
  missing=$(missing_pair)
  [ -z "$missing" ] || try_later "no reload: the pair of '$missing' is not installed yet"
  last_lines
  fail "$test_name refuses the configuration; no reload, the service serves what it did"
}

# check_tested ROOT: the part of check that does not depend on where the service names the pair.
check_tested() {
  require_places "$1/$NOLAPSE_NAME.d"
  if [ -n "${NOLAPSE_FULLCHAIN-}" ] && [ -n "${NOLAPSE_PRIVKEY-}" ]; then require_pair; fi
  configuration_is_good && return 0
  missing=$(missing_pair)
  if [ -n "$missing" ] && [ ! -L "$1/$missing" ]; then return 0; fi
  last_lines
  fail "$test_name refuses the configuration; repair it first"
}
