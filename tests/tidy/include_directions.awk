# Which headers a file may include, zone by zone. Reads grep -nH's lines of #include, split at ":";
# prints those that break a rule. An angle-bracket header with a dot or a slash is no standard one.
# Exceptions stand here with their reason.

function refuse(why) { print $1 ":" $2 ": " header " (" why ")" }

{
  header = $0
  sub(/^[^:]*:[^:]*:[ \t]*#[ \t]*include[ \t]*/, "", header)
  sub(/[ \t]*\/\/.*/, "", header)
  own = header ~ /^"/
  name = substr(header, 2, length(header) - 2)
  library = !own && name ~ /[.\/]/
}

$1 ~ /^acme\// {
  if (own && name !~ /^acme\//) refuse("acme depends on nothing of ours")
  # identifier.cpp: inet_pton and inet_ntop give the canonical form of an address.
  if (library && name !~ /^(openssl|nlohmann|tl)\// && name != "idn2.h" &&
      !($1 == "acme/identifier.cpp" && name == "arpa/inet.h"))
    refuse("acme does no I/O")
}

$1 ~ /^agent\/world\// {
  if (own && name !~ /^(acme|agent\/world)\//) refuse("world depends on acme only")
}

$1 ~ /^agent\/(core|solvers|front)\// {
  if (own && name ~ /^tests\//) refuse("a test is no part of the program")
  # main, cli*: is this a terminal, whose process is this; log, progress: file descriptors.
  # regex.h only computes, and libpsl.h only from the list that is built in.
  if (library && name !~ /^(openssl|nlohmann|tl|spdlog|toml\+\+|CLI)\// &&
      name !~ /^(regex|libpsl)[.]h$/ &&
      !($1 ~ /^agent\/front\/(main|cli[a-z_]*|log|progress)\.cpp$/ && name == "unistd.h"))
    refuse("operating system, curl, microhttpd and ldns belong to agent/world")
}

$1 ~ /^agent\/core\// && own && name ~ /^agent\/(solvers|front)\// {
  refuse("core is below solvers and front")
}

$1 ~ /^agent\/solvers\// && own && name ~ /^agent\/front\// { refuse("solvers are below front") }

$1 ~ /^agent\/(core|solvers)\// && own && name ~ /^agent\/world\// {
  # mail_refusal.h: what an error of Mail says, for both of its sides.
  if (name !~ /^agent\/world\/(world|mail_refusal)[.]h$/) refuse("the world is agent/world/world.h")
}

name ~ /^spdlog\// && $1 !~ /^agent\/front\/log\./ { refuse("spdlog belongs to agent/front/log") }
name ~ /^CLI\// && $1 !~ /^(agent\/front\/cli|tests\/simulation\/arguments)/ {
  refuse("CLI11 belongs to agent/front/cli")
}
name ~ /^ldns\// && $1 !~ /^(agent\/world\/dns_|tests\/)/ {
  refuse("ldns belongs to agent/world/dns_*")
}
name ~ /^toml\+\+\// { toml[$1] = $1 ":" $2 ": " header " (toml++ belongs to one file)" }

END {
  users = 0
  for (file in toml) users++
  if (users > 1) for (file in toml) print toml[file]
}
