// 9: no key material in events, nor in any file of the state directory but the keys themselves,
// which nobody else may read.
#include "tests/simulation/invariants/invariant.h"

namespace nolapse {

namespace {

// How a P-256 key begins in PKCS #8, should somebody leave out the line above it.
bool holds_key(const std::string& text) {
  return text.find("PRIVATE KEY") != std::string::npos ||
         text.find("MIGHAgEAMBMGByqGSM49") != std::string::npos;
}

class NoKeyMaterial final : public Invariant {
 public:
  explicit NoKeyMaterial(const Fleet& fleet) : Invariant("keys stay where they are", fleet) {}

  void on_event(const Event& event, const Kept* /*about*/) override {
    if (holds_key(event.message)) violated("a key is in the event " + event.code);
  }

  // Each line is a path with its mode behind it; directories end in a slash, links have arrows.
  void on_end() override {
    for (const std::string& line : fleet_.world.files.tree()) {
      const std::size_t space = line.find(' ');
      const std::string path = line.substr(0, space);
      if (!path.starts_with(Fleet::state) || path.ends_with('/') ||
          line.find(" -> ") != std::string::npos)
        continue;
      const bool is_key = path.ends_with("/privkey.pem") || path.ends_with("/key.pem") ||
                          path.ends_with("/key.pem.new");
      if (is_key && line.substr(space + 1) != "0600") violated(line + " can be read by others");
      if (!is_key && holds_key(fleet_.world.files.text(path))) violated("a key is in " + path);
    }
  }
};

}  // namespace

InvariantPtr make_no_key_material(const Fleet& fleet) {
  return std::make_unique<NoKeyMaterial>(fleet);
}

}  // namespace nolapse
