// Memory that was freed, given back to the system: the allocator keeps it for the next time, which
// may be an hour away.
#pragma once

namespace nolapse {

void give_back_memory();

}  // namespace nolapse
