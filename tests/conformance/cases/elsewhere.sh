# Cases that no server here can show, with the reason; most are held elsewhere. Sourced; bash.
# shellcheck shell=bash

no_case case_7_widths_of_signatures_and_keys 'RFC 7518 §3.4' "in tests/acme/jws_test.cpp"
no_case case_49_one_flight_per_certificate 'RFC 8555 §7.4' "in tests/end_to_end/locked"
no_case case_59_vectors_of_certificate_identifiers 'RFC 9773 §4.1' \
  "in tests/acme/renewal_info_test.cpp"
no_case case_67_a_revoked_certificate 'RFC 9773 §4.3' \
  "in tests/simulation/revocation_test.cpp"
no_case case_70_renewals_are_spread 'RFC 9773 §4.2' "in tests/acme/renewal_info_test.cpp"
no_case case_74_six_failed_validations 'RFC 8555 §6.6' \
  "takes hours of one clock: in tests/simulation/rate_limits_test.cpp"
no_case case_77_caa 'RFC 8659, RFC 8657' "in tests/acme/caa_test.cpp"
no_case case_79_aliases_and_slow_secondaries 'RFC 8555 §8.4' "in tests/end_to_end/dns01"
no_case case_82_names_that_no_ca_takes 'RFC 8555 §7.1.3' \
  "refused by config check where only public CAs are asked: in \
tests/agent/core/config_certificate_test.cpp"
