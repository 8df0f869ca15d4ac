#include "agent/core/pem_file.h"

#include "acme/private_key.h"
#include "agent/core/config_files.h"

namespace nolapse {
namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";
constexpr std::string_view dashes = "-----";
// A bundle of roots has some hundred; nobody shows more.
constexpr std::size_t most_certificates = 1000;
constexpr int most_links = 40;  // as the kernel's

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

PemFile parse_pem_file(std::string_view text) {
  PemFile file;
  std::size_t at = 0;
  while ((at = text.find(begin_mark, at)) != std::string_view::npos &&
         file.certificates.size() < most_certificates) {
    const std::size_t label_at = at + begin_mark.size();
    const std::size_t label_end = text.find(dashes, label_at);
    const std::size_t end = text.find(end_mark, label_at);
    if (label_end == std::string_view::npos || end == std::string_view::npos) {
      file.broken.emplace_back("its last block has no end");
      return file;
    }
    const std::string_view label = text.substr(label_at, label_end - label_at);
    const std::size_t line_end = std::min(text.find('\n', end), text.size());
    const std::string_view block = text.substr(at, line_end - at);
    at = end + end_mark.size();
    if (label == "CERTIFICATE" || label == "TRUSTED CERTIFICATE" || label == "X509 CERTIFICATE") {
      const auto parsed = acme::parse_pem_chain(block);
      if (parsed) {
        file.certificates.push_back(parsed->front());
      } else {
        file.broken.push_back(parsed.error().message);
      }
    } else if (ends_with(label, "PRIVATE KEY")) {
      file.has_key = true;
      const auto key = acme::PrivateKey::from_pem(block);
      if (key && file.public_key_der.empty()) file.public_key_der = key->public_key_der();
    }
  }
  return file;
}

Result<std::vector<acme::Certificate>> read_certificate_file(const Files& files,
                                                             const std::string& path) {
  const auto real = real_path(files, path);
  if (!real) return fail(real.error());
  const auto content = files.read(*real);
  if (!content) return fail(content.error());
  PemFile file = parse_pem_file(*content);
  if (!file.certificates.empty()) return std::move(file.certificates);
  if (auto der = acme::parse_certificate(*content)) return std::vector{std::move(*der)};
  const std::string what = !file.broken.empty() ? file.broken.front()
                           : file.has_key       ? "it holds a key only"
                           : content->empty()   ? "it is empty"
                                                : "it holds no certificate";
  return fail(ErrorKind::input, "NO_CERTIFICATE", path + ": " + what);
}

Result<std::string> real_path(const Files& files, const std::string& path) {
  std::string done;
  std::string rest = resolve_path("/", path);
  int links = 0;
  while (!rest.empty() && rest != "/") {
    const std::size_t end = std::min(rest.find('/', 1), rest.size());
    const std::string component = rest.substr(1, end - 1);
    rest.erase(0, end);
    if (component == "..") {
      done.erase(done.empty() ? 0 : done.rfind('/'));
      continue;
    }
    const std::string next = done + "/" + component;
    const auto status = files.status(next);
    if (!status) return fail(status.error());
    if (status->kind != FileStatus::Kind::symlink) {
      done = next;
      continue;
    }
    if (++links > most_links) {
      return fail(ErrorKind::local, "FILE_ERROR", path + " is a loop of symbolic links");
    }
    const auto target = files.read_link(next);
    if (!target) return fail(target.error());
    const bool absolute = !target->empty() && target->front() == '/';
    rest = resolve_path("/", *target) + rest;
    if (absolute) done.clear();
  }
  return done.empty() ? "/" : done;
}

}  // namespace nolapse
