# What the hooks with deploy-hooks/proof.sh have in common beside the matrix: they judge a pair
# before they touch anything. Sourced behind matrix.sh and called after run_matrix; bash.
# shellcheck shell=bash disable=SC2154  # matrix.sh and the test set the rest

# run_judged MISSING_LINE [ENDPOINTS]: what check says about a certificate that the configuration
# does not name, and the setting of the places to look at. Then it runs matrix.sh's run_interface.
run_judged() {
  offer
  run rehearse "${given[@]}"
  ok "a rehearsal passes" answered 0 unchanged
  ok "and leaves no shadow" equal "what is left in TMPDIR" "" "$(find "$folder/tmp" -mindepth 1)"
  ok "and the installed pair stays" pair_installed "$in_use"
  ok "and is served as before" pair_served "$in_use"
  break_configuration
  run rehearse "${given[@]}"
  ok "a broken configuration turns a rehearsal red" answered 1
  ok "with the server's own words" says "$broken_message"
  mend_configuration
  refused_pair
  run rehearse "${given[@]}"
  ok "a pair that openssl takes for too weak turns a rehearsal red" answered 1
  ok "with openssl's reason" says 'key too small'
  run install "${given[@]}"
  ok "and an install of it fails" answered 1
  ok "and leaves the former pair" pair_installed "$in_use"
  run check NOLAPSE_NAME=forum
  ok "check fails for a certificate that the configuration does not name" answered 1
  ok "and says which line is missing" says "$1"
  if [ -n "${2-}" ]; then
    generation "$in_use"
    run reload "${given[@]}" "$2=127.0.0.1:$(free_port)"
    ok "a reload that is not seen where it should be is a failure" answered 1
    ok "and the message names the place" says '^127.*has no TLS handshake after the reload'
  fi
  run_interface
  in_use=1
}
