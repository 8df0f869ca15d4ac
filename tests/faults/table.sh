# The README's tables, made of the lists, of what a run found, and of what certbot and lego said
# once (peers.tsv). Sourced by run; bash.
# shellcheck shell=bash disable=SC2016,SC2154  # run and list.sh set what is read here

readme=$faults/README.md
peers_file=$faults/peers.tsv
begin_marker='<!-- the tables of the run begin -->'
end_marker='<!-- the tables of the run end -->'

# keep_peers: what was asked now takes the place of what was said before about the same faults.
keep_peers() {
  local name
  touch "$peers_file"
  for name in "${names[@]}"; do
    grep -sP "^$name\t" "$work/results" || grep -P "^$name\t" "$peers_file"
  done >"$work/peers"
  cat "$work/peers" >"$peers_file"
}

# said FAULT COLUMN: of a peer, whose exit status stands in that column.
said() {
  has "$1" peers || { echo '–'; return; }
  awk -F'\t' -v name="$1" -v column="$2" '$1 == name {
      asked = 1
      if ($column == "-") print "–"
      else if ($column == 124) print "hangs"
      else if ($column == 0) print "**all is well**"
      else print "“" $(column + 1) "”"
    }
    END { if (!asked) print "not asked" }' "$peers_file"
}

# outcome FAULT: what this run made of it.
outcome() {
  awk -F'\t' -v name="$1" -v code="${fault_code[$1]}" '$1 == name { done = 1
      print $2 == "yes" && $3 != "no" ? code : "**" code " is missing**" }
    END { if (!done) print "**not run**" }' "$work/results"
}

names_by_cause() {
  local name
  for name in "${names[@]}"; do echo "${fault_group[$name]#2.} $name"; done |
    sort -s -k1,1n | cut -d' ' -f2
}

make_tables() {
  local name setup
  echo '| cause | fault | code | certbot `renew --dry-run` | lego `renew` |'
  echo '|---|---|---|---|---|'
  for name in $(names_by_cause); do
    printf '| %s | %s | %s | %s | %s |\n' "${fault_group[$name]}" "${fault_title[$name]}" \
      "$(outcome "$name")" "$(said "$name" 2)" "$(said "$name" 4)"
  done
  printf '\n| healthy set-up | findings |\n|---|---|\n'
  for setup in "${setups[@]}"; do
    printf '| %s | %s |\n' "${setup_title[$setup]}" \
      "$(awk -F'\t' -v name="$setup" '$1 == name { quiet = 1 }
        END { print quiet ? "none" : "**some**" }' "$work/results")"
  done
}

tables_in_file() { sed -n "/^$begin_marker/,/^$end_marker/p" "$readme" | sed '1d; $d'; }

table_is_current() {
  make_tables >"$work/tables"
  diff <(tables_in_file) "$work/tables"
}

write_table() {
  make_tables >"$work/tables"
  { sed "/^$begin_marker/q" "$readme"
    cat "$work/tables"
    sed -n "/^$end_marker/,\$p" "$readme"; } >"$work/readme"
  cat "$work/readme" >"$readme"
}
