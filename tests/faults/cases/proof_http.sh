# Port 80 and what stands in front of it, and names that do not lead here. Sourced; bash.
# shellcheck shell=bash disable=SC2016,SC2034,SC2154  # texts of others; scene.sh

a_fault 2.4 port_80_closed web HTTP01_UNREACHABLE "deep quick peers" "nothing listens on port 80"
port_80_closed() { nginx_reads '/:80;/s/:80;/:8080;/'; }

a_fault 2.4 port_80_closed_on_ipv6 web HTTP01_UNREACHABLE "deep peers" \
  "there is an AAAA record, and nothing listens there"
port_80_closed_on_ipv6() { nginx_reads '/\[::1\]:80;/d'; }

a_fault 2.4 other_server_on_ipv6 web HTTP01_WRONG_ANSWER "deep quick peers" \
  "another server answers at the AAAA record's address"
other_server_on_ipv6() {
  nginx_reads -e '/\[::1\]:80;/d' -e '$i server { listen [::1]:80; return 404; }'
}

a_fault 2.4 webroot_moved web HTTP01_WRONG_ANSWER "deep peers" "the web server has another root"
webroot_moved() { nginx_reads "s|root $folder/webroot;|root $folder/logs;|"; }

a_fault 2.4 login_page web HTTP01_WRONG_ANSWER "deep peers" "everything is answered by a login page"
login_page() { nginx_reads "s|root $folder/webroot;|return 200 \"log in\";|"; }

a_fault 2.4 forbidden web HTTP01_WRONG_ANSWER "deep peers" "a rule forbids hidden folders"
forbidden() {
  nginx_reads "s|root $folder/webroot;|& location ~ /\\\\. { deny all; }|"
}

a_fault 2.4 redirect_elsewhere web HTTP01_WRONG_ANSWER "deep peers" \
  "port 80 redirects to a host that is gone"
redirect_elsewhere() {
  nginx_reads "s|root $folder/webroot;|return 301 http://old.shop.test\$request_uri;|"
}

a_fault 2.4 redirect_in_circles web HTTP01_WRONG_ANSWER "deep peers" "port 80 redirects in circles"
redirect_in_circles() {
  nginx_reads "s|root $folder/webroot;|return 301 http://shop.test\$request_uri;|"
}

a_fault 2.4 port_taken listen PORT_IN_USE "deep peers" "another program has taken port 80"
port_taken() {
  nginx_reads '$i server { listen 127.0.0.1:80; listen [::]:80 ipv6only=on; return 404; }'
}

a_fault 2.4 alpn_not_passed_on alpn_through_nginx TLSALPN01_UNREACHABLE deep \
  "the web server in front does not pass the handshakes on any more"
alpn_not_passed_on() { nginx_reads '/acme-tls/d'; }

a_fault 2.4 alpn_taken alpn PORT_IN_USE "deep peers" "another service has taken port 443"
alpn_taken() { nginx_reads 's/:8443 ssl;/:443 ssl;/'; }

a_fault 2.12 webroot_read_only web WEBROOT_NOT_WRITABLE "deep peers" \
  "the webroot cannot be written"
webroot_read_only() {
  mount --bind "$folder/webroot" "$folder/webroot" &&
    mount -o remount,bind,ro "$folder/webroot"
}

a_fault 2.12 webroot_gone web WEBROOT_NOT_WRITABLE "deep peers" \
  "the webroot's volume is not there"
webroot_gone() { rm -r "$folder/webroot" && ln -s "$folder/volume" "$folder/webroot"; }

a_fault 2.10 one_name_gone web NAME_NOT_FOUND "quick peers" "one of two names does not exist"
one_name_gone() { change_zone "del www.shop.test. A" "del www.shop.test. AAAA"; }

a_fault 2.10 one_name_elsewhere web HTTP01_UNREACHABLE "deep peers" \
  "one of two names leads to an address that is not ours"
one_name_elsewhere() {
  change_zone "del www.shop.test. A" "del www.shop.test. AAAA" "add www.shop.test. 60 A 127.9.9.9"
}

a_fault 2.10 one_name_sold web HTTP01_WRONG_ANSWER "deep peers" \
  "one of two names leads to somebody else's server"
one_name_sold() {
  change_zone "del www.shop.test. A" "del www.shop.test. AAAA" "add www.shop.test. 60 A 127.0.0.7"
  nginx_reads '$i server { listen 127.0.0.7:80; return 200 "for sale"; }'
}

a_fault 2.10 zone_gone web NAME_LOOKUP_FAILED peers "no name server knows the zone any more"
zone_gone() {
  primary_again '/domain: test$/,$d'
  secondary_again '/domain: test$/,$d'
}

a_fault 2.10 name_left_out web NAMES_DIFFER "" "the certificate lacks a name of the configuration"
name_left_out() {
  edit 's/"www.shop.test"/"www.shop.test", "new.shop.test"/'
  take_up
}
