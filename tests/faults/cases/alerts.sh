# Nobody would hear of it. Sourced; bash.
# shellcheck shell=bash disable=SC2154  # scene.sh sets folder

a_fault 2.21 one_channel web ALERT_CHANNELS_FEW "" "there is one alert channel only"
one_channel() {
  edit -z 's/\[\[alerts.channel\]\]\nname    = "pager".*//'
  take_up
}

a_fault 2.21 no_channels web ALERT_CHANNELS_FEW "" "there is no alert channel"
no_channels() {
  edit -z 's/\[alerts\]\n.*//'
  take_up
}

a_fault 2.21 channels_alike web ALERT_CHANNELS_FEW "" "both alert channels lead to one place"
channels_alike() {
  edit "s|$folder/pager|$folder/mail|"
  take_up
}

a_fault 2.21 channels_silent web ALERT_CHANNEL_FAILING "silent unknown" \
  "no alert channel has delivered anything for forty days"
channels_silent() {
  local alerts=$folder/state/alerts.json
  within 20 all_delivered "$alerts" || return
  kill_daemon
  jq '.channels[].delivered_at = "2020-01-01T00:00:00Z"' "$alerts" >"$folder/alerts.json" &&
    cp "$folder/alerts.json" "$alerts"
}

all_delivered() { jq -e '[.channels[].delivered_at] | length == 2 and all(. != null)' "$1"; }

# The second refusal is written down instead of waited for, and the third one due.
a_fault 2.21 channel_refuses web ALERT_CHANNEL_FAILING "" "an alert channel takes no messages"
channel_refuses() {
  local alerts=$folder/state/alerts.json
  printf '#!/bin/sh\necho "401: the token has expired" >&2\nexit 1\n' >"$folder/pager"
  chmod 666 "$folder/nolapse.toml"
  within 20 refused "$alerts" || return
  kill_daemon
  jq '.channels.pager |= (.failures = 2 | .next_attempt = .failing_since)' "$alerts" \
    >"$folder/alerts.json" && cp "$folder/alerts.json" "$alerts"
  start_daemon
}
refused() { jq -e '.channels.pager.failures == 1' "$1"; }

a_fault 2.21 status_page_taken web STATUS_PAGE_CLOSED "" "the port of the status page is taken"
status_page_taken() {
  edit 's/^\[daemon\]/&\nstatus_listen = "127.0.0.1:80"/'
  take_up
}

a_fault 2.21 status_page_public web STATUS_PAGE_PUBLIC "" "the status page is open to other hosts"
status_page_public() {
  edit 's/^\[daemon\]/&\nstatus_listen = "0.0.0.0:9180"/'
  take_up
}
