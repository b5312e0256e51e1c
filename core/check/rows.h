/* SPDX-License-Identifier: MIT
 *
 * The rows of check.c's table: name, function, the check that must have passed before, what must
 * hold.  docs/plugin-check.md is printed from it (lehr plugin check --list). */

ROW("binary/file", binary_file, NULL, "the file can be read and nobody else may write it")
ROW("binary/object", binary_object, "binary/file", "it is a shared object for this machine")
ROW("binary/entry", binary_entry, "binary/object", "it exports lehr_plugin_v1")
ROW("binary/exports", binary_exports, "binary/entry",
    "it exports nothing else, which could be mixed up with other objects' functions")
ROW("binary/undefined", binary_undefined, "binary/object",
    "it calls lehr only through the host structure, and OpenCL not at all")
ROW("binary/libraries", binary_libraries, "binary/object",
    "it needs the C and mathematics libraries only, which every machine has")
ROW("binary/stack", binary_stack, "binary/entry", "it does not ask for an executable stack")
ROW("binary/tls", binary_tls, "binary/stack", "it uses no static thread-local storage")
ROW("binary/relocations", binary_relocations, "binary/object",
    "its code need not be rewritten while it is loaded")
ROW("binary/search_path", binary_search_path, "binary/object",
    "it brings no search path for libraries of its own")

ROW("loading/opens", loading_opens, "binary/tls", "the dynamic linker loads it")
ROW("loading/floating_point", loading_floating_point, "loading/opens",
    "loading leaves rounding, subnormal numbers and traps alone")
ROW("loading/locale", loading_locale, "loading/opens", "loading leaves the locale alone")
ROW("loading/directory", loading_directory, "loading/opens",
    "loading leaves the working directory and the file mode mask alone")
ROW("loading/signals", loading_signals, "loading/opens", "loading installs no signal handler")
ROW("loading/threads", loading_threads, "loading/opens", "loading starts no thread or process")
ROW("loading/output", loading_output, "loading/opens", "loading prints nothing")
ROW("loading/environment", loading_environment, "loading/opens",
    "loading leaves the environment variables alone")
ROW("loading/descriptors", loading_descriptors, "loading/opens", "loading keeps no file open")

ROW("entry/same", entry_same, "loading/opens",
    "lehr_plugin_v1() gives the same pointer and the same contents each time")
ROW("entry/threads", entry_threads, "entry/same", "it does so from four threads at once")
ROW("entry/accepted", entry_accepted, "entry/same",
    "version, size, id and counts are acceptable to the loader")

ROW("structs/sizes", structs_sizes, "entry/accepted",
    "every size is that of the ABI version which the plugin states")
ROW("structs/abi", structs_abi, "entry/accepted",
    "the plugin asks for the oldest ABI version that has what it uses")
ROW("structs/extensions", structs_extensions, "entry/accepted",
    "ext() answers an unknown id with NULL")

ROW("tables/accepted", tables_accepted, "structs/sizes",
    "names, kinds, ranges, defaults and flags of all tables are acceptable to the loader")
ROW("tables/language", tables_language, "tables/accepted",
    "passes and preamble contain only what the rule language allows")
ROW("tables/unique", tables_unique, "tables/language",
    "no name is used twice or belongs to a built-in")
ROW("tables/docs", tables_docs, "tables/language",
    "everything a user can set or see has a line of documentation")
ROW("tables/ranges", tables_ranges, "tables/language",
    "ranges and choices can be typed, and no two choices are the same")
ROW("tables/defaults", tables_defaults, "tables/language",
    "the defaults can be read as a user would type them")
ROW("tables/presets", tables_presets, "tables/defaults",
    "each preset can be read, is accepted by check() and says where it is from")
ROW("tables/text", tables_text, "tables/defaults tables/ranges",
    "the text with every value written out reads back as the same values")
ROW("tables/identity", tables_identity, "entry/accepted",
    "the id is unique by form, such as org.example.name")

ROW("schedules/finite", schedules_finite, "tables/defaults",
    "with default values every update of a run gets a finite value of at least 0")
ROW("schedules/read_only", schedules_read_only, "schedules/finite",
    "value() and check() write into nothing they are given")
ROW("schedules/inside", schedules_inside, "schedules/read_only",
    "they read nothing behind the structures, tables and lists they are given")
ROW("schedules/pure", schedules_pure, "schedules/inside",
    "value() gives the same bits when it is asked twice")
ROW("schedules/order", schedules_order, "schedules/pure",
    "value() gives the same bits in any order of updates")
ROW("schedules/bounds", schedules_bounds, "schedules/order",
    "each parameter at each of its bounds gives finite values, or check() refuses it")
ROW("schedules/random", schedules_random, "schedules/order",
    "random values within the ranges give numbers of at least 0, or check() refuses them")
ROW("schedules/extremes", schedules_extremes, "schedules/order",
    "updates 0, T-1, T, 2T and 2^40 of a run of T have finite values")
ROW("schedules/open_ended", schedules_open_ended, "schedules/order",
    "a run of unknown length has finite values, or check() refuses it")
ROW("schedules/no_epochs", schedules_no_epochs, "schedules/order",
    "so has a run whose epochs have no known length")
ROW("schedules/short_runs", schedules_short_runs, "schedules/order",
    "runs of 1, 2 and 3 updates have finite values")
ROW("schedules/bases", schedules_bases, "schedules/order",
    "base values from 1e-8 to 1e4 give finite values")
ROW("schedules/observe", schedules_observe, "schedules/order",
    "observe() copes with any measurement, NaN and infinity included")
ROW("schedules/replay", schedules_replay, "schedules/observe",
    "the same measurements lead to the same state, bit for bit")
ROW("schedules/state", schedules_state, "schedules/observe",
    "observe() changes its state only, and only within it")
ROW("schedules/resume", schedules_resume, "schedules/replay structs/extensions",
    "a run that goes on from saved state has the same values, bit for bit")
ROW("schedules/speed", schedules_speed, "schedules/order",
    "value() takes less than 20 microseconds")

ROW("optimizers/scalars", optimizers_scalars, "tables/defaults",
    "scalar() sets every number it promises and nothing behind them")
ROW("optimizers/unused", optimizers_unused, "optimizers/scalars",
    "every slot and every scalar is used by a pass")
ROW("optimizers/finite", optimizers_finite, "optimizers/scalars",
    "scalars are finite for updates 1 to 1000 and late ones")
ROW("optimizers/read_only", optimizers_read_only, "optimizers/finite",
    "scalar(), advance() and check() write only where they may")
ROW("optimizers/inside", optimizers_inside, "optimizers/read_only",
    "they read nothing behind the structures and tables they are given")
ROW("optimizers/pure", optimizers_pure, "optimizers/inside",
    "scalar() gives the same bits when it is asked again, in any order")
ROW("optimizers/advance", optimizers_advance, "optimizers/pure",
    "advance() depends on its arguments and state only")
ROW("optimizers/ranges", optimizers_ranges, "optimizers/pure",
    "every value within the ranges gives finite scalars, or check() refuses it with a sentence")
ROW("optimizers/resume", optimizers_resume, "optimizers/advance structs/extensions",
    "updates that go on from saved state have the same scalars, bit for bit")

ROW("running/floating_point", running_floating_point, "schedules/finite optimizers/finite",
    "calls leave rounding, subnormal numbers and traps alone")
ROW("running/locale", running_locale, "schedules/finite optimizers/finite", "calls leave the locale alone")
ROW("running/directory", running_directory, "schedules/finite optimizers/finite",
    "calls leave the working directory and the file mode mask alone")
ROW("running/signals", running_signals, "schedules/finite optimizers/finite",
    "calls install no signal handler")
ROW("running/threads", running_threads, "schedules/finite optimizers/finite",
    "calls leave no thread or process")
ROW("running/output", running_output, "schedules/finite optimizers/finite", "calls print nothing")
ROW("running/environment", running_environment, "schedules/finite optimizers/finite",
    "calls leave the environment variables alone")
ROW("running/descriptors", running_descriptors, "schedules/finite optimizers/finite",
    "calls keep no file open")

ON_DEVICE("device/compiles", device_compiles, "tables/unique optimizers/finite",
    "the rule compiles")
ON_DEVICE("device/compiles_gpu", device_compiles_gpu, "device/compiles",
    "it compiles for the other family of kernels too, where a device can be taken for a GPU")
ON_DEVICE("device/finite", device_finite, "device/compiles",
    "weights stay finite over 30 updates with gradients between -1 and 1")
ON_DEVICE("device/zero_gradient", device_zero_gradient, "device/finite",
    "a gradient of 0 leaves weights finite")
ON_DEVICE("device/choices", device_choices, "device/finite",
    "it compiles and stays finite with each word of each choice")
ON_DEVICE("device/repeatable", device_repeatable, "device/finite",
    "the same updates give the same bits again")
ON_DEVICE("device/permutation", device_permutation, "device/repeatable",
    "a weight gets the same bits wherever it stands (rules without sums)")
ON_DEVICE("device/split", device_split, "device/repeatable",
    "it gets the same bits however the groups are cut (rules without sums)")
ON_DEVICE("device/non_finite", device_non_finite, "device/repeatable",
    "a gradient that is not finite spoils its own weight only (rules without sums)")
ON_DEVICE("device/families", device_families, "device/compiles_gpu device/repeatable",
    "the kernels of both families agree (rules without sums)")
ON_DEVICE("device/kept", device_kept, "device/finite",
    "gradients, and weights outside its groups, keep their bits")
ON_DEVICE("device/halt", device_halt, "device/finite",
    "weights and slots keep their bits when training was halted")
ON_DEVICE("device/resume", device_resume, "device/repeatable optimizers/resume",
    "training that goes on from saved slots and state has the same weights, bit for bit")
ON_DEVICE("device/evaluation", device_evaluation, "device/finite",
    "weights for evaluation are finite, and training finds its own again")
ON_DEVICE("device/double", device_double, "device/finite",
    "weights agree with those of the same rule in double precision (rules without sums)")
ON_DEVICE("device/quadratic", device_quadratic, "device/zero_gradient",
    "200 updates with the rule's learning rate make the loss of a bowl smaller")

ROW("whole/leaks", whole_leaks, "schedules/replay optimizers/finite",
    "destroy() gives back what create() took from the host")
ROW("whole/memory", whole_memory, "whole/leaks",
    "two thousand instances and their calls leave no memory behind")
ROW("whole/allocation", whole_allocation, "whole/leaks",
    "when the host has no memory create() fails cleanly, at whichever request")
ROW("whole/instances", whole_instances, "schedules/replay optimizers/advance",
    "two instances share no state")
ROW("whole/threads", whole_threads, "whole/instances",
    "instances in four threads give what one alone gives")
ROW("whole/globals", whole_globals, "whole/threads", "calls change no variable of the plugin")
ROW("whole/locale", whole_locale, "schedules/replay optimizers/finite",
    "values do not depend on the locale's decimal separator")
ROW("whole/rounding", whole_rounding, "schedules/replay optimizers/finite",
    "values stay finite in other rounding modes")
ROW("whole/exit", whole_exit, "schedules/replay optimizers/finite",
    "the process can end normally afterwards")
