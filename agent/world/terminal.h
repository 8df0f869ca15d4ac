// What stderr is connected to. A dumb terminal counts as none.
#pragma once

#include <cstddef>

namespace nolapse::terminal {

bool is_terminal();
// Not with NO_COLOR set (https://no-color.org) or a terminal that says it is dumb.
bool wants_colour();
std::size_t columns();  // 80 where nobody says
// The journal notes the time by itself, and reads the priority from the beginning of a line.
// [systemd.exec(5), $JOURNAL_STREAM; sd-daemon(3)]
bool is_journal();

}  // namespace nolapse::terminal
