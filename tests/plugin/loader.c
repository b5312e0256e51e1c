/* SPDX-License-Identifier: MIT
 *
 * Loading: each defective plugin is refused with the right code and words, files that are no
 * plugins, trust in directories, the floating-point environment, no shadowing. */
#define _GNU_SOURCE
#include "tests/plugin/rig.h"

#include <fenv.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVIL LEHR_TEST_BUILD_DIR "/tests/evil/"

static lehr_context *ctx;
static lehr_registry *reg;

static lehr_status load(const char *path)
{
    const char *files[] = {path};
    lehr_registry_params params = {.files = files, .file_count = 1};
    return lehr_registry_create(ctx, &params, &reg);
}

static void setup(void) { lehr_context_create(NULL, &ctx); }
static void teardown(void)
{
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
}
TestSuite(loader, .init = setup, .fini = teardown);

static void says(const char *what, const char *part)
{
    cr_expect(strstr(lehr_context_message(ctx), part), "%s: '%s' lacks '%s'", what,
              lehr_context_message(ctx), part);
}

static const struct {
    const char *name, *part;
} at_load[] = {
    {"no_entry", "exports no lehr_plugin_v1"},
    {"null", "returned NULL"},
    {"changing", "different results"},
    {"minor", "built for plugin ABI 1.7, this lehr offers 1.0"},
    {"major", "built for plugin ABI 2.0"},
    {"small", "lehr_plugin.size is 8"},
    {"no_id", "id and version"},
    {"empty", "holds no schedule and no optimizer"},
    {"no_array", "do not fit"},
    {"small_schedule", "schedule evil, size"},
    {"shadow", "schedule 'cosine' exists already"},
    {"schedule_flag", "flags"},
    {"stride", "LEHR_LIST"},
    {"no_value", "value: must be set"},
    {"default_above_max", "schedule evil, parameter beta1: its default is outside its range"},
    {"param_name", "parameter Beta: its name must match"},
    {"param_twice", "used twice"},
    {"param_kind", "kind is unknown"},
    {"param_flag", "flag"},
    {"min_above_max", "min is not below its max"},
    {"nan_bound", "min is not below its max"},
    {"no_choices", "needs choices"},
    {"bare_duration", "as text with its unit"},
    {"param_word", "taken by the rule language"},
    {"rule_return", "pass 1, line 2: 'return' is not allowed"},
    {"rule_bracket", "'}' closes nothing"},
    {"rule_digraph", "is not allowed"},
    {"rule_barrier", "'barrier' is not allowed"},
    {"rule_define", "line 2: '#' is not allowed"},
    {"rule_index", "'get_global_id' is not allowed"},
    {"rule_comment", "is never closed"},
    {"no_scalar", "scalar: must be set"},
    {"slot_when", "names no parameter"},
    {"execstack", "executable stack"}};

Test(loader, defective_plugins_are_refused)
{
    for (size_t i = 0; i < LH_COUNT(at_load); i++) {
        char path[512];
        snprintf(path, sizeof path, EVIL "evil-%s.so", at_load[i].name);
        cr_expect_eq(load(path), LEHR_E_PLUGIN, "%s was loaded", at_load[i].name);
        cr_expect_null(reg);
        says(at_load[i].name, at_load[i].part);
        lehr_registry_destroy(&reg);
    }
}

static lehr_status first_value(const char *name, uint64_t step, double *out)
{
    char path[512];
    lehr_budget budget = {.base = 0.1, .steps_per_epoch = 10, .total_steps = 100};
    lehr_scheduler *s = NULL;
    snprintf(path, sizeof path, EVIL "evil-%s.so", name);
    cr_assert_eq(load(path), LEHR_OK, "%s: %s", name, lehr_context_message(ctx));
    cr_assert_eq(lehr_scheduler_create(ctx, reg, "evil", &budget, &s), LEHR_OK);
    lehr_status st = lehr_scheduler_value(s, step, out);
    lehr_scheduler_destroy(&s);
    return st;
}

Test(loader, bad_values_are_errors)
{
    double value = 0;
    cr_expect_eq(first_value("nan_value", 3, &value), LEHR_OK);
    lehr_registry_destroy(&reg);
    cr_expect_eq(first_value("nan_value", 4, &value), LEHR_E_PARAM);
    says("nan", "schedule evil(beta=0.5) gives");
    says("nan", "update 4");
    lehr_registry_destroy(&reg);
    cr_expect_eq(first_value("negative_value", 0, &value), LEHR_E_PARAM);
}

Test(loader, floating_point_environment_is_kept)
{
    double value = 0;
    fesetround(FE_TOWARDZERO);
    cr_expect_eq(first_value("fast_math", 0, &value), LEHR_OK);
    cr_expect_eq(fegetround(), FE_TOWARDZERO);
    fesetround(FE_TONEAREST);
}

/* Writes size bytes (or all of from, when size is -1) to a new file. */
static void write_file(const char *path, const char *from, long size)
{
    static char bytes[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(path, "wb");
    cr_assert(in && out);
    size_t count = fread(bytes, 1, sizeof bytes, in);
    if (size >= 0 && (size_t)size < count) count = (size_t)size;
    cr_assert_eq(fwrite(bytes, 1, count, out), count);
    fclose(in);
    fclose(out);
}

static char directory[64];

static const char *scratch(const char *name)
{
    static char path[256];
    if (!directory[0]) {
        snprintf(directory, sizeof directory, "/tmp/lehr-loader-XXXXXX");
        cr_assert(mkdtemp(directory));
    }
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void clean(const char *name)
{
    unlink(scratch(name));
    rmdir(directory);
}

Test(loader, files_that_are_no_plugins)
{
    const char *good = LEHR_TEST_PLUGIN_DIR "/lehr-cosine.so";
    cr_expect_eq(load("/nonexistent/lehr-x.so"), LEHR_E_PLUGIN);
    says("missing", "No such file");
    cr_expect_eq(load("/tmp"), LEHR_E_PLUGIN);
    says("directory", "not a file");
    cr_expect_eq(load("/proc/self/exe"), LEHR_E_PLUGIN);
    cr_expect_eq(load(LEHR_TEST_SOURCE_DIR "/meson.build"), LEHR_E_PLUGIN);
    says("text", "not an ELF file");
    const char *path = scratch("lehr-cut.so");
    for (long size = 0; size < 6000; size += 13) {
        write_file(path, good, size);
        cr_expect_eq(load(path), LEHR_E_PLUGIN, "cut at %ld", size);
    }
    FILE *file = NULL;
    write_file(path, good, -1);
    file = fopen(path, "r+b");
    fseek(file, 18, SEEK_SET); /* e_machine */
    fputc(0x99, file);
    fclose(file);
    cr_expect_eq(load(path), LEHR_E_PLUGIN);
    says("machine", "another processor");
    clean("lehr-cut.so");
}

Test(loader, search_path_and_trust)
{
    const lehr_schedule *d = NULL;
    const char *path = scratch("lehr-evil.so");
    write_file(path, EVIL "evil-nan_value.so", -1);
    setenv("LEHR_PLUGIN_PATH", directory, 1);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
    chmod(directory, 0777);
    cr_expect_eq(lehr_registry_find_schedule(reg, "evil", &d), LEHR_E_PLUGIN);
    says("writable directory", "writable by everybody");
    chmod(directory, 0700);
    chmod(path, 0666);
    cr_expect_eq(lehr_registry_find_schedule(reg, "evil", &d), LEHR_E_PLUGIN);
    says("writable file", "writable by everybody");
    chmod(path, 0600);
    cr_expect_eq(lehr_registry_find_schedule(reg, "evil", &d), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_expect_str_eq(d->name, "evil");
    lehr_registry_destroy(&reg);
    lehr_registry_params none = {.no_plugins = 1};
    cr_assert_eq(lehr_registry_create(ctx, &none, &reg), LEHR_OK);
    cr_expect_eq(lehr_registry_find_schedule(reg, "evil", &d), LEHR_E_USAGE);
    cr_expect_eq(lehr_registry_find_schedule(reg, "../evil", &d), LEHR_E_USAGE);
    lehr_registry_destroy(&reg);
    cr_assert_eq(chdir(directory),
                 0); /* relative entries and the working directory are not searched */
    setenv("LEHR_PLUGIN_PATH", ".:", 1);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK);
    cr_expect_eq(lehr_registry_find_schedule(reg, "evil", &d), LEHR_E_USAGE);
    clean("lehr-evil.so");
}

Test(loader, what_is_loaded_is_told)
{
    lehr_plugin_info info;
    cr_assert_eq(load(LEHR_TEST_PLUGIN_DIR "/lehr-adam.so"), LEHR_OK,
                 "the same file again is no error");
    cr_assert(lehr_registry_plugin_count(reg) >= 16);
    lehr_registry_plugin(reg, 0, &info);
    cr_expect_str_eq(info.id, "org.lehr.adabelief");
    cr_expect_eq(strlen(info.sha256), 64);
    cr_expect_eq(info.path[0], '/');
    cr_expect_eq(info.optimizer_count, 1);
    lehr_registry_destroy(&reg);
    lehr_registry_params empty = {.directory = "/nonexistent"};
    cr_expect_eq(lehr_registry_create(ctx, &empty, &reg), LEHR_E_PLUGIN);
    says("directory", "/nonexistent");
}

Test(loader, rules_that_fail_on_the_device)
{
    static const struct {
        const char *name;
        lehr_status code;
        const char *part;
    } rows[] = {{"rule_syntax", LEHR_E_DEVICE, "optimizer evil, pass 1:2:"}};
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        rig r;
        lh_updater *u = NULL;
        char path[512];
        const char *files[] = {path};
        lehr_registry_params params = {.files = files, .file_count = 1};
        snprintf(path, sizeof path, EVIL "evil-%s.so", rows[i].name);
        rig_open(&r);
        lehr_registry_destroy(&r.reg);
        cr_assert_eq(lehr_registry_create(r.ctx, &params, &r.reg), LEHR_OK, "%s",
                     lehr_context_message(r.ctx));
        cr_expect_eq(lh_updater_create(r.dev, r.reg, "evil", NAN, &r.layout, &u), rows[i].code);
        cr_expect(strstr(lehr_context_message(r.ctx), rows[i].part), "%s",
                  lehr_context_message(r.ctx));
        cr_expect_null(u);
        rig_close(&r);
    }
}

Test(loader, a_scalar_that_is_infinite)
{
    rig r;
    lh_updater *u = NULL;
    const char *files[] = {EVIL "evil-inf_scalar.so"};
    lehr_registry_params params = {.files = files, .file_count = 1};
    rig_open(&r);
    lehr_registry_destroy(&r.reg);
    cr_assert_eq(lehr_registry_create(r.ctx, &params, &r.reg), LEHR_OK);
    cr_assert_eq(lh_updater_create(r.dev, r.reg, "evil", NAN, &r.layout, &u), LEHR_OK);
    cr_expect_eq(lh_updater_step(u, 1, 0.1, r.control), LEHR_E_PARAM);
    cr_expect(strstr(lehr_context_message(r.ctx), "scalar rate is inf"));
    lh_updater_destroy(&u);
    rig_close(&r);
}

Test(loader, a_plugin_in_cplusplus)
{
    const char *path = LEHR_TEST_BUILD_DIR "/tests/plugin/lehr-cplusplus.so";
    if (access(path, R_OK) != 0) cr_skip_test("no C++ compiler");
    lehr_budget budget = {.base = 0.1, .steps_per_epoch = 10, .total_steps = 100};
    lehr_scheduler *s = NULL;
    double value = 0;
    cr_assert_eq(load(path), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert_eq(lehr_scheduler_create(ctx, reg, "cplusplus(0.4)", &budget, &s), LEHR_OK);
    cr_assert_eq(lehr_scheduler_value(s, 50, &value), LEHR_OK);
    cr_expect(fabs(value - 0.08) <= 1e-15);
    lehr_scheduler_destroy(&s);
    cr_expect_eq(lehr_optimizer_resolve(ctx, reg, "signs", NAN, NULL, &value), LEHR_OK);
    cr_expect_eq(value, 0);
}
