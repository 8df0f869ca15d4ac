// Gathers what a status is made of: the state directory as it is, the endpoints as they answer
// now. Needs no lock and changes nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/status.h"
#include "agent/world/world.h"

namespace nolapse {

// So many are read in one turn of the loop, which is not to stand still over a thousand.
inline constexpr std::size_t certificates_a_turn = 8;

enum class Looks {
  one,  // for whoever waits for the answer
  two,  // where somebody is told of what is bad, see verify_endpoints_twice()
};

// In the order of the configuration, then the orphans by name; `names` empty: all. The references
// must outlive the answer. A store that was asked before knows what has not changed.
void collect_status(World world, const Config& config, const Store& store,
                    const std::vector<std::string>& names,
                    std::function<void(std::vector<CertificateStatus>)> done,
                    Looks looks = Looks::one);
void collect_status(World world, const Config& config, const std::vector<std::string>& names,
                    std::function<void(std::vector<CertificateStatus>)> done,
                    Looks looks = Looks::one);

// As people and programs are shown them: weighed with what else is known, see renewal_doubts.h. The
// self-tests want them as they are: what they find must not be found because it was found before.
void collect_weighed_status(World world, const Config& config,
                            const std::vector<std::string>& names,
                            std::function<void(std::vector<CertificateStatus>)> done,
                            std::vector<Finding> configuration_doubts = {});

// Of one: of the configuration's, or an orphan's as orphan_spec() made it, which must outlive the
// answer, too.
void collect_status_of(World world, const Config& config, const Store& store,
                       const CertificateSpec& spec, std::function<void(CertificateStatus)> done);

// What the state directory knows of a certificate that nobody configures any more; null: nothing.
std::unique_ptr<CertificateSpec> orphan_spec(const Store& store, const std::string& name);

}  // namespace nolapse
