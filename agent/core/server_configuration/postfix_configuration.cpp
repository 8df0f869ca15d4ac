// Postfix: parameters of main.cf, where the last one counts and $NAME stands for another's value;
// services of master.cf, which may say otherwise with -o.
// postconf(5), master(5)
#include <algorithm>
#include <cctype>
#include <map>

#include "agent/core/config_files.h"
#include "agent/core/server_configuration/reading.h"

namespace nolapse {
namespace {

using Parameters = std::map<std::string, Directive>;  // words: name and value

constexpr std::size_t longest_value = 65536;
constexpr int most_expansions = 500;  // of one value

// Lines with those that begin with a blank joined to the one before; comments left out.
std::vector<NumberedLine> logical_lines(const std::string& content) {
  std::vector<NumberedLine> lines;
  for (NumberedLine& line : lines_of(content, false)) {
    const std::size_t first = line.text.find_first_not_of(" \t");
    if (first == std::string::npos || line.text[first] == '#') continue;
    if (first > 0 && !lines.empty()) {
      lines.back().text += " " + line.text.substr(first);
    } else {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

void set(Parameters& parameters, const std::string& assignment, const std::string& file, int line) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) return;
  const std::string name = trimmed(assignment.substr(0, equals));
  parameters[name] = {{name, trimmed(assignment.substr(equals + 1))}, file, line, {}};
}

// $NAME, ${NAME} and $(NAME); one that nobody sets is empty, and so are those of a circle.
std::string expanded(const Parameters& parameters, const std::string& value, int& budget) {
  std::string result;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] != '$' || at + 1 == value.size()) {
      result += value[at];
      continue;
    }
    const char open = value[at + 1];
    const bool bracketed = open == '{' || open == '(';
    std::size_t end = at + 1 + (bracketed ? 1 : 0);
    const std::size_t begin = end;
    while (end < value.size() &&
           (std::isalnum(static_cast<unsigned char>(value[end])) != 0 || value[end] == '_')) {
      ++end;
    }
    const auto known = parameters.find(value.substr(begin, end - begin));
    if (known != parameters.end() && result.size() < longest_value && --budget > 0) {
      result += expanded(parameters, known->second.word(1), budget);
    }
    at = bracketed ? end : end - 1;
  }
  return result;
}

struct Service {
  std::string listen;
  Parameters parameters;  // as -o says otherwise
};

std::string port_of(const std::string& name) {
  const std::map<std::string, std::string> known = {
      {"smtp", "25"}, {"submission", "587"}, {"smtps", "465"}, {"submissions", "465"}};
  const std::size_t colon = name.rfind(':');
  const std::string host = colon == std::string::npos ? "" : name.substr(0, colon + 1);
  const std::string port = name.substr(host.size());
  const auto found = known.find(port);
  return host + (found == known.end() ? port : found->second);
}

// SERVICE TYPE PRIVATE UNPRIVILEGED CHROOT WAKEUP MAXPROC COMMAND -o NAME=VALUE …
std::vector<Service> services_in(const std::string& path, const std::string& content) {
  std::vector<Service> services;
  for (const NumberedLine& line : logical_lines(content)) {
    const auto words = words_of(line.text, "");
    if (words.size() < 8 || words[1] != "inet" || words[7] != "smtpd") continue;
    Service service{port_of(words[0]), {}};
    for (std::size_t i = 8; i + 1 < words.size(); ++i) {
      if (words[i] != "-o") continue;
      std::string assignment = words[++i];
      // "-o { NAME = VALUE }"
      if (!assignment.empty() && assignment.front() == '{') {
        assignment.erase(0, 1);
        while (assignment.find('}') == std::string::npos && i + 1 < words.size()) {
          assignment += " " + words[++i];
        }
        assignment = assignment.substr(0, assignment.find('}'));
      }
      set(service.parameters, assignment, path, line.number);
    }
    services.push_back(std::move(service));
  }
  return services;
}

class Interpreter {
 public:
  Interpreter(ConfigurationReading& reading, Parameters parameters)
      : reading_(reading), parameters_(std::move(parameters)) {}

  void show(const std::vector<Service>& services) {
    if (const auto maps = parameters_.find("tls_server_sni_maps");
        maps != parameters_.end() && !maps->second.word(1).empty()) {
      reading_.problem(maps->second,
                       "the certificates of tls_server_sni_maps are not read; look at them by "
                       "name, as endpoints");
    }
    std::vector<std::string> common;
    bool any_tls = services.empty();
    for (const Service& service : services) {
      Parameters all = parameters_;
      bool own = false;
      for (const auto& [name, value] : service.parameters) {
        own = own || is_certificate(name);
        all[name] = value;
      }
      if (value_of(all, "smtpd_tls_security_level") == "none") continue;
      any_tls = true;
      if (own) {
        show(all, {service.listen});
      } else {
        common.push_back(service.listen);
      }
    }
    const bool all_own = any_tls && common.empty() && !services.empty();
    if (any_tls && !all_own) show(parameters_, common);
  }

 private:
  static bool is_certificate(const std::string& name) {
    return name == "smtpd_tls_cert_file" || name == "smtpd_tls_eccert_file" ||
           name == "smtpd_tls_dcert_file" || name == "smtpd_tls_chain_files";
  }

  static std::string value_of(const Parameters& parameters, const std::string& name) {
    const auto found = parameters.find(name);
    int budget = most_expansions;
    return found == parameters.end() ? "" : expanded(parameters, found->second.word(1), budget);
  }

  void show(const Parameters& parameters, const std::vector<std::string>& listens) {
    const std::string chains = value_of(parameters, "smtpd_tls_chain_files");
    if (!chains.empty()) {
      std::string list = chains;
      std::replace(list.begin(), list.end(), ',', ' ');
      for (const std::string& file : words_of(list, "")) {
        add(parameters.at("smtpd_tls_chain_files"), file, {}, listens);
      }
      return;
    }
    for (const std::string kind : {"", "ec", "d"}) {
      const std::string name = "smtpd_tls_" + kind + "cert_file";
      const std::string file = value_of(parameters, name);
      if (file.empty() || file == "none") continue;
      add(parameters.at(name), file, value_of(parameters, "smtpd_tls_" + kind + "key_file"),
          listens);
    }
  }

  void add(const Directive& line, const std::string& file, const std::string& key,
           const std::vector<std::string>& listens) {
    ShownCertificate shown;
    shown.place = reading_.place(line);
    shown.listens = listens;
    if (file.front() != '/') {
      reading_.problem(line, "\"" + acme::printable(file, 200) + "\" is no absolute path");
      return;
    }
    shown.certificate_file = file;
    if (key != file) shown.key_file = key;
    reading_.add(std::move(shown));
  }

  ConfigurationReading& reading_;
  const Parameters parameters_;
};

}  // namespace

void read_postfix_configuration(ConfigurationReading& reading, const std::string& main_file) {
  Parameters parameters;
  std::vector<Service> services;
  reading.read(main_file, {}, [&](const std::string& path, const std::string& content) {
    for (const NumberedLine& line : logical_lines(content)) {
      set(parameters, line.text, path, line.number);
    }
  });
  const std::string master = directory_of(main_file) + "/master.cf";
  if (reading.files().status(master)) {
    reading.read(master, {}, [&](const std::string& path, const std::string& content) {
      services = services_in(path, content);
    });
  }
  Interpreter(reading, std::move(parameters)).show(services);
}

}  // namespace nolapse
