// Why the kernel says "No such file or directory" of a program that is there.
#pragma once

#include <string>

namespace nolapse {

// What `program` needs and does not have: the interpreter of its #! line above all, see execve(2).
// Empty when the program itself is missing, or when nothing is found. A short read of its
// beginning.
std::string missing_interpreter(const std::string& program);

}  // namespace nolapse
