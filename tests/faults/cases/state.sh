# The disk, the files, and who may read and write them. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

# state_on_disk OPTIONS: a file system of its own.
state_on_disk() {
  kill_daemon
  mv "$folder/state" "$folder/moved" && mkdir "$folder/state" &&
    mount -t tmpfs -o "$1" none "$folder/state" && cp -a "$folder/moved/." "$folder/state" &&
    chmod --reference="$folder/moved" "$folder/state"
}

a_fault 2.15 disk_full web DISK_LOW peers "the disk is full"
disk_full() {
  state_on_disk size=8m || return
  head -c 7600k /dev/zero >"$folder/state/somebody's"
  start_daemon
}

disk_full_for_peers() {
  peers_on_disk size=8m && on_each_disk sh -c 'cat /dev/zero >"somebody"'
  true
}

a_fault 2.15 no_inodes web DISK_LOW peers "the disk has no inodes left"
no_inodes() {
  state_on_disk size=8m,nr_inodes=200 || return
  mkdir "$folder/state/somebody's"
  (cd "$folder/state/somebody's" && seq 1 300 | xargs touch 2>/dev/null)
  rm -f "$folder/state/somebody's"/{1,2,3,4,5,6,7,8,9,10}
  start_daemon
}

no_inodes_for_peers() {
  peers_on_disk size=8m,nr_inodes=200 && on_each_disk sh -c 'seq 1 300 | xargs touch 2>/dev/null'
  true
}

a_fault 2.15 disk_read_only web DISK_WRITE_FAILED "deep silent peers" "the disk cannot be written"
disk_read_only() { state_on_disk size=8m && mount -o remount,ro "$folder/state"; }
disk_read_only_for_peers() {
  peers_on_disk size=8m && mount -o remount,ro "$folder/certbot" &&
    mount -o remount,ro "$folder/lego"
}

a_fault 2.15 schedule_torn web STATE_UNREADABLE "" "a record ends in the middle"
schedule_torn() { truncate -s 20 "$folder/state/certificates/shop/schedule.json"; }

a_fault 2.15 account_torn web STATE_UNREADABLE "" "the account's record is not readable"
account_torn() { echo '{"sch' >"$folder/state/accounts/pebble/account.json"; }

newest() { readlink -f "$folder/state/live/shop"; }

a_fault 2.15 other_key web GENERATION_DAMAGED "quick peers" "key and certificate do not fit"
other_key() { cat "$folder/first/privkey.pem" >"$(newest)/privkey.pem"; }
other_key_for_peers() {
  cat "$folder/first/privkey.pem" >"$(readlink -f "$folder/certbot/live/shop.test/privkey.pem")"
  cat "$folder/first/privkey.pem" >"$folder/lego/certificates/shop.test.key"
}

a_fault 2.15 certificate_torn web GENERATION_DAMAGED peers "the certificate's file is half written"
certificate_torn() { truncate -s 300 "$(newest)/fullchain.pem"; }
certificate_torn_for_peers() {
  truncate -s 300 "$(readlink -f "$folder/certbot/live/shop.test/cert.pem")"
  truncate -s 300 "$folder/lego/certificates/shop.test.crt"
}

a_fault 2.15 cloned web STATE_FROM_ANOTHER_MACHINE alone "the state directory was cloned"
cloned() {
  echo 0123456789abcdef0123456789abcdef >"$folder/machine-id"
  mount --bind "$folder/machine-id" /etc/machine-id
  kill_daemon
  start_daemon
}

a_fault 2.12 config_writable web CONFIG_WRITABLE "" "everybody may change the configuration"
config_writable() { chmod 666 "$folder/nolapse.toml"; }

a_fault 2.12 secret_readable zone SECRET_EXPOSED peers "everybody may read the DNS key"
secret_readable() { chmod 644 "$folder/tsig.key"; }
secret_readable_for_peers() { chmod 644 "$folder/certbot.ini"; }

a_fault 2.12 key_readable web SECRET_EXPOSED peers "everybody may read the private key"
key_readable() { chmod 644 "$(newest)/privkey.pem"; }
key_readable_for_peers() {
  chmod 644 "$(readlink -f "$folder/certbot/live/shop.test/privkey.pem")" \
    "$folder/lego/certificates/shop.test.key"
}

a_fault 2.12 folder_closed group KEY_NOT_READABLE "" "the service's group cannot enter the folder"
folder_closed() { chmod 700 "$folder/state/certificates"; }
