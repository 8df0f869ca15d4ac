#include "agent/core/agenda.h"

namespace nolapse {

void Agenda::set(std::uint32_t entry, acme::Time at) {
  if (entry >= positions_.size()) positions_.resize(entry + 1, nowhere);
  remove(entry);
  heap_.push_back({at, entry});
  positions_[entry] = static_cast<std::uint32_t>(heap_.size() - 1);
  rise(heap_.size() - 1);
}

void Agenda::remove(std::uint32_t entry) {
  if (entry < positions_.size() && positions_[entry] != nowhere) take_out(positions_[entry]);
}

std::optional<acme::Time> Agenda::next() const {
  if (heap_.empty()) return {};
  return heap_.front().at;
}

std::optional<std::uint32_t> Agenda::take_due(acme::Time now) {
  if (heap_.empty() || heap_.front().at > now) return {};
  const std::uint32_t entry = heap_.front().entry;
  take_out(0);
  return entry;
}

void Agenda::place(std::size_t position, const Entry& entry) {
  heap_[position] = entry;
  positions_[entry.entry] = static_cast<std::uint32_t>(position);
}

void Agenda::rise(std::size_t position) {
  const Entry entry = heap_[position];
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (heap_[parent] <= entry) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void Agenda::sink(std::size_t position) {
  const Entry entry = heap_[position];
  while (2 * position + 1 < heap_.size()) {
    std::size_t child = 2 * position + 1;
    if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
    if (entry <= heap_[child]) break;
    place(position, heap_[child]);
    position = child;
  }
  place(position, entry);
}

void Agenda::take_out(std::size_t position) {
  positions_[heap_[position].entry] = nowhere;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  place(position, last);
  rise(position);
  sink(positions_[last.entry]);
}

}  // namespace nolapse
