# The list of cases, and the table feature × server that comes of running them. Sourced; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # run sets what is read here

cases=()
declare -A case_servers case_source case_weight case_reason
columns=(pebble_24 pebble_210 caddy fake_ca)
titles=("Pebble 2.4" "Pebble 2.10" "Caddy 2.6" "fake CA")
readme=$conformance/../../acme/README.md

# a_case NAME SOURCE SERVER…: the function NAME runs against each of the servers. SERVER:SECONDS
# in front of them is about how long it takes, where that is long.
a_case() {
  local name=$1
  cases+=("$name")
  case_source[$name]=$2
  case_weight[$name]=0
  shift 2
  if [[ $1 == [0-9]* ]]; then
    case_weight[$name]=$1
    shift
  fi
  case_servers[$name]=$*
}

# no_case NAME SOURCE WHY: one that cannot run, or runs elsewhere.
no_case() {
  cases+=("$1")
  case_source[$1]=$2
  case_servers[$1]=
  case_weight[$1]=0
  case_reason[$1]=$3
}

tell_cases_without_server() {
  local name
  for name in "${cases[@]}"; do
    if [ -n "${case_reason[$name]-}" ] && [[ $name == *"$pattern"* ]]; then
      skip "$name [${case_source[$name]}]" "${case_reason[$name]}"
    fi
  done
}

# cell CASE COLUMN: a server with special settings, such as pebble_24_storm, has its column's.
cell() {
  local server passed failed skipped result=
  for server in ${case_servers[$1]}; do
    [[ $server == "$2" || $server == "$2"_* ]] || continue
    read -r passed failed skipped <"$work/results/$1.$server/counts"
    if [ "$failed" -gt 0 ]; then
      result='**no**'
    elif [ "$passed" -gt 0 ]; then
      result=yes
    else
      result='not run'
    fi
  done
  echo "$result"
}

make_table() {
  local name column row sorted
  mapfile -t sorted < <(printf '%s\n' "${cases[@]}" | sort -V)
  printf '| case | source |'
  printf ' %s |' "${titles[@]}"
  printf '\n|---|---|'
  printf -- '---|%.0s' "${titles[@]}"
  echo
  for name in "${sorted[@]}"; do
    [ -z "${case_reason[$name]-}" ] || continue
    row=${name#case_}
    row="| ${row//_/ } | ${case_source[$name]} |"
    for column in "${columns[@]}"; do row+=" $(cell "$name" "$column") |"; done
    echo "$row"
  done
  printf '\nNot run here:\n\n'
  for name in "${sorted[@]}"; do
    [ -n "${case_reason[$name]-}" ] || continue
    row=${name#case_}
    echo "- ${row//_/ } (${case_source[$name]}): ${case_reason[$name]}"
  done
}

begin_marker='<!-- the table of the conformance run begins -->'
end_marker='<!-- the table of the conformance run ends -->'

table_in_file() {
  sed -n "/^$begin_marker/,/^$end_marker/p" "$readme" | sed '1d; $d'
}

# What could not run is no reason to doubt what another machine wrote.
table_is_current() {
  local made=$work/table
  make_table >"$made"
  paste -d '\n' <(table_in_file) "$made" | awk '
    NR % 2 == 1 { written = $0; next }
    { lines++
      split(written, old, "|"); count = split($0, new, "|")
      for (i = 1; i <= count; i++) if (new[i] != " not run " && new[i] != old[i]) {
        printf "the file says: %s\nthis run says: %s\n", written, $0; bad = 1; break
      }
    }
    END { exit bad }' && equal "the number of lines" "$(wc -l <"$made")" "$(table_in_file | wc -l)"
}

write_table() {
  local made=$work/table
  make_table >"$made"
  { sed "/^$begin_marker/q" "$readme"
    cat "$made"
    sed -n "/^$end_marker/,\$p" "$readme"; } >"$work/readme"
  cat "$work/readme" >"$readme"
}
