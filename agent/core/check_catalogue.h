// Every code that a self-test may report, with what it means, how it comes about, how to see it by
// hand and what ends it: `nolapse check --list` and `--explain CODE`. Codes are public and stay.
#pragma once

#include <string_view>
#include <vector>

namespace nolapse {

struct CodePage {
  const char* code;
  const char* meaning;  // one line
  const char* cause;
  const char* confirm;  // how to see it without nolapse; commands on lines of their own
  const char* fix;
};

// In the order of the families.
const std::vector<CodePage>& code_pages();
// Nothing: there is no such code.
const CodePage* find_code_page(std::string_view code);

}  // namespace nolapse
