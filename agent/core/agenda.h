// When each certificate wants to be looked at next: a binary heap that knows where everybody
// stands in it, so that the next moment costs nothing to ask for and a change costs a logarithm.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "acme/time.h"

namespace nolapse {

class Agenda {
 public:
  // An entry is the index of a certificate in the configuration. Replaces what was noted for it.
  void set(std::uint32_t entry, acme::Time at);
  void remove(std::uint32_t entry);  // an unknown one is ignored

  std::optional<acme::Time> next() const;
  // The one that is due first, when that is by `now`; it leaves the agenda. Equal moments come in
  // the order of the configuration.
  std::optional<std::uint32_t> take_due(acme::Time now);

  std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    acme::Time at;
    std::uint32_t entry;

    friend auto operator<=>(const Entry&, const Entry&) = default;
  };

  void place(std::size_t position, const Entry& entry);
  void rise(std::size_t position);
  void sink(std::size_t position);
  void take_out(std::size_t position);

  static constexpr std::uint32_t nowhere = 0xffffffff;
  std::vector<Entry> heap_;
  std::vector<std::uint32_t> positions_;  // by entry: where in the heap, or nowhere
};

}  // namespace nolapse
