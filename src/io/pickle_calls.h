// The only names a pickle may mention and the only calls it may ask for. Used by pickle.cpp.
#pragma once
#include <string>

#include "io/pickle.h"

namespace purescope {

// Thrown inside the interpreter, which adds the place and turns it into an error 65.
struct PickleRefusal { std::string what, todo; };

[[noreturn]] void refuse_pickle(const std::string& what);

// Makes a value that points into a table.
PickleValue pickle_index(PickleKind kind, size_t index);

// Refuses a name that is not on the list. `name` is "module name".
void check_name(const std::string& name, const PickleRules& rules);

// What calling `function` with the tuple `arguments` gives.
PickleValue call_name(Pickle& p, const PickleValue& function, const PickleValue& arguments, const PickleRules& rules);

// The storage that a persistent id names.
PickleValue load_storage(Pickle& p, const PickleValue& id, const PickleRules& rules);

}  // namespace purescope
