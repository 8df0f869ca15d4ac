# The shell tests' own words. A test is a sentence and a condition; a file of them ends with the
# plain line "N passed, N failed" that tests/run adds up. Sourced; bash.
# shellcheck shell=bash

sentences_passed=0
sentences_failed=0
sentences_skipped=0

# ok "sentence" COMMAND…: passes when the command succeeds; what it said is shown when it does not.
ok() {
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1); then
    pass "$sentence"
  else
    not_ok "$sentence" "${output:-the condition '$*' does not hold}"
  fi
}

pass() {
  sentences_passed=$((sentences_passed + 1))
  printf 'ok      %s\n' "$1"
}

not_ok() {
  sentences_failed=$((sentences_failed + 1))
  printf 'not ok  %s\n' "$1"
  printf '%s\n' "${2-}" | sed 's/^/          /'
}

skip() {
  sentences_skipped=$((sentences_skipped + 1))
  printf 'skipped %s: %s\n' "$1" "$2"
}

# equal WHAT WANTED FOUND, matches WHAT PATTERN TEXT: conditions that say what they saw.
equal() {
  [ "$2" = "$3" ] || {
    printf '%s is "%s", wanted "%s"\n' "$1" "$3" "$2"
    return 1
  }
}

matches() {
  grep -Eq -e "$2" <<<"$3" || {
    printf '%s does not match "%s":\n%s\n' "$1" "$2" "$3"
    return 1
  }
}

# Ends the file of tests.
finish() {
  local skipped=
  [ "$sentences_skipped" -eq 0 ] || skipped=", $sentences_skipped skipped"
  printf '%d passed, %d failed%s\n' "$sentences_passed" "$sentences_failed" "$skipped"
  [ "$sentences_failed" -eq 0 ]
}
