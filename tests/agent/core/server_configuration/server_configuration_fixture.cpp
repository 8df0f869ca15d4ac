#include "tests/agent/core/server_configuration/server_configuration_fixture.h"

namespace nolapse {
namespace {

std::string joined(const std::string& name, const std::vector<std::string>& words) {
  if (words.empty()) return {};
  std::string text = " " + name + "=";
  for (const std::string& word : words) text += (text.back() == '=' ? "" : ",") + word;
  return text;
}

std::string place_text(const ConfigurationPlace& place) {
  return place.file + ":" + std::to_string(place.line) + " ";
}

}  // namespace

Lines certificates_in(const ServerConfiguration& configuration) {
  Lines lines;
  for (const ShownCertificate& shown : configuration.certificates) {
    lines.push_back(place_text(shown.place) + shown.certificate_file +
                    (shown.key_file.empty() ? "" : " key=" + shown.key_file) +
                    joined("names", shown.names) + joined("listens", shown.listens));
  }
  return lines;
}

Lines upstreams_in(const ServerConfiguration& configuration) {
  Lines lines;
  for (const Upstream& upstream : configuration.upstreams) {
    Lines checks;
    if (upstream.verified) checks.push_back("chain");
    if (upstream.dates_checked) checks.push_back("dates");
    if (upstream.name_checked) checks.push_back("name");
    lines.push_back(place_text(upstream.place) + upstream.host + ":" +
                    std::to_string(upstream.port) + (upstream.tls ? " tls" : "") +
                    (upstream.server_name.empty() ? "" : " asks=" + upstream.server_name) +
                    (upstream.roots_file.empty() ? "" : " roots=" + upstream.roots_file) +
                    joined("checks", checks) + joined("for", upstream.names));
  }
  return lines;
}

ServerConfiguration read_as(const std::string& server, const ConfigFiles& files,
                            const std::string& main) {
  return read_server_configuration(files, {{{server, main}}});
}

ServerConfiguration read_text(const std::string& server, const std::string& main,
                              const std::string& text) {
  ConfigFiles files;
  files.add(main, text);
  return read_as(server, files, main);
}

}  // namespace nolapse
