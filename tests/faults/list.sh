# The lists of set-ups and faults, and their files. Sourced by run and one_scene; bash.
# shellcheck shell=bash disable=SC2034,SC2154  # they read and set the rest

setups=()
names=()
declare -A setup_title fault_group fault_setup fault_code fault_title fault_options

# a_setup NAME TITLE: setup_NAME writes the host's files and lists its services; prepare_NAME, where
# there is one, says what names and addresses there are, before any server starts.
a_setup() {
  setups+=("$1")
  setup_title[$1]=$2
}

# a_fault GROUP NAME SETUP CODE OPTIONS TITLE: the function NAME does it to the healthy set-up, and
# within a cycle `check` finds CODE and the daemon tells of it. GROUP is a number of the README's
# list of causes. Options:
#   deep     only `check --deep` looks for it
#   silent   the daemon cannot tell: it is what fails
#   peers    certbot and lego, in the same set-up, can be asked about it; where their part of the
#            host is another one, NAME_for_peers does it to that
#   alone    spoils the CA for the next fault: has a scene of its own
#   shown    it is no fault of the host's, but has to be shown among what is fine
#   unknown  nobody can know any more, and that is what is found
#   quick    stands in the quick run
a_fault() {
  names+=("$2")
  fault_group[$2]=$1
  fault_setup[$2]=$3
  fault_code[$2]=$4
  fault_options[$2]=" $5 "
  fault_title[$2]=$6
}

# has FAULT OPTION
has() { [[ ${fault_options[$1]} == *" $2 "* ]]; }

for file in "$faults"/setups.sh "$faults"/more_setups.sh "$faults"/cases/*.sh; do
  # shellcheck source=/dev/null
  . "$file"
done
