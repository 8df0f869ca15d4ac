#include "agent/world/memory.h"

#include <malloc.h>

namespace nolapse {

void give_back_memory() {
  ::malloc_trim(0);
}

}  // namespace nolapse
