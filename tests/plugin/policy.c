/* SPDX-License-Identifier: MIT
 *
 * The loader's policy: what is looked at before a file's code runs, which paths are trusted, what is
 * searched, and that a plugin changes nothing of the process. */
#define _GNU_SOURCE
#include "core/plugin/host.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <float.h>
#include <link.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY LEHR_TEST_BUILD_DIR "/tests/plugin/policy/policy-"

static lehr_context *ctx;
static lehr_registry *reg;
static char warnings[8192], top[64];

static void keep(void *user, uint32_t level, const char *line)
{
    (void)user;
    size_t end = strlen(warnings);
    if (level == LEHR_LOG_WARN) snprintf(warnings + end, sizeof warnings - end, "%s\n", line);
}

static void setup(void)
{
    lehr_context_params params = {.log = keep, .log_level = LEHR_LOG_WARN};
    cr_assert_eq(lehr_context_create(&params, &ctx), LEHR_OK);
    snprintf(top, sizeof top, "/tmp/lehr-policy-XXXXXX");
    cr_assert(mkdtemp(top));
}

static void teardown(void)
{
    char command[128];
    lehr_registry_destroy(&reg);
    lehr_context_destroy(&ctx);
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    cr_assert_eq(system(command), 0);
}
TestSuite(policy, .init = setup, .fini = teardown);

static lehr_status load(const char *path)
{
    const char *files[] = {path};
    lehr_registry_params params = {.files = files, .file_count = 1};
    lehr_registry_destroy(&reg);
    warnings[0] = '\0';
    return lehr_registry_create(ctx, &params, &reg);
}

static void says(const char *part)
{
    cr_expect(strstr(lehr_context_message(ctx), part), "'%s' lacks '%s'", lehr_context_message(ctx), part);
}

static const char *in_top(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", top, name);
    return path;
}

static unsigned char *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);
    cr_assert(file && bytes, "%s", path);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void write_all(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, size, file) == size, "%s", path);
    cr_assert_eq(fclose(file), 0);
}

/* A new file, since an old one's code may be mapped. */
static void copy(const char *from, const char *to)
{
    size_t size = 0;
    unlink(to);
    unsigned char *bytes = read_all(from, &size);
    write_all(to, bytes, size);
    free(bytes);
}

/* ---- the process stays as it was ---- */

static double scheduled(void)
{
    lehr_budget budget = {.base = 1, .steps_per_epoch = 10, .total_steps = 100};
    lehr_scheduler *s = NULL;
    double out = 0;
    cr_assert_eq(lehr_scheduler_create(ctx, reg, "policy()", &budget, &s), LEHR_OK, "%s",
                 lehr_context_message(ctx));
    cr_assert_eq(lehr_scheduler_value(s, 5, &out), LEHR_OK);
    lehr_scheduler_destroy(&s);
    return out;
}

static bool denormals_live(void)
{
    volatile double least = DBL_MIN;
    return least / 4 > 0;
}

static void on_signal(int number) { (void)number; }

Test(policy, a_plugin_changes_nothing_of_the_process)
{
    char before[256], after[256];
    struct sigaction handler;
    signal(SIGUSR2, on_signal);
    cr_assert(getcwd(before, sizeof before));
    cr_assert_eq(load(POLICY "meddler.so"), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_assert(getcwd(after, sizeof after));
    cr_expect_str_eq(before, after);
    cr_expect_str_eq(setlocale(LC_ALL, NULL), "C");
    sigaction(SIGUSR2, NULL, &handler);
    cr_expect(handler.sa_handler == on_signal);
    cr_expect(denormals_live(), "denormals are flushed after loading");
    cr_expect_eq(fegetround(), FE_TONEAREST);
    static const char *const parts[] = {"policy-meddler.so changed", "the locale",
                                        "the working directory", "the handler of signal 12", "put back"};
    for (size_t i = 0; i < LH_COUNT(parts); i++)
        cr_expect(strstr(warnings, parts[i]), "'%s' lacks '%s'", warnings, parts[i]);
    scheduled();
    cr_expect(denormals_live(), "denormals are flushed after value()");
    cr_expect_eq(fegetround(), FE_TONEAREST);
    cr_assert_eq(load(POLICY "plain.so"), LEHR_OK);
    cr_expect_str_eq(warnings, "", "a plain plugin is warned about");
}

Test(policy, the_rounding_of_the_application_is_not_the_plugins)
{
    cr_assert_eq(load(POLICY "plain.so"), LEHR_OK, "%s", lehr_context_message(ctx));
    double plain = scheduled();
    fesetround(FE_UPWARD);
    double upward = scheduled();
    cr_expect_eq(fegetround(), FE_UPWARD, "the application's mode is kept");
    fesetround(FE_TONEAREST);
    cr_expect(plain == upward, "%.17g, %.17g", plain, upward);
}

/* ---- the file before its code runs ---- */

/* Refused with this message when `count` bytes at offset are replaced. */
static void patched(const unsigned char *good, size_t size, size_t offset, const void *with, size_t count,
                    const char *part)
{
    unsigned char *bytes = malloc(size);
    cr_assert(bytes && offset + count <= size);
    memcpy(bytes, good, size);
    memcpy(bytes + offset, with, count);
    cr_expect_eq(lh_elf_check(ctx, "x.so", bytes, size), LEHR_E_PLUGIN, "accepted: %s", part);
    says(part);
    lh_enter(ctx);
    free(bytes);
}

static size_t segment_at(const unsigned char *bytes, uint32_t type)
{
    ElfW(Ehdr) head;
    memcpy(&head, bytes, sizeof head);
    for (unsigned i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) segment;
        size_t at = (size_t)head.e_phoff + i * sizeof segment;
        memcpy(&segment, bytes + at, sizeof segment);
        if (segment.p_type == type) return at;
    }
    cr_assert_fail("no segment %u", type);
    return 0;
}

static size_t dynamic_at(const unsigned char *bytes, unsigned index)
{
    ElfW(Phdr) segment;
    memcpy(&segment, bytes + segment_at(bytes, PT_DYNAMIC), sizeof segment);
    return (size_t)segment.p_offset + index * sizeof(ElfW(Dyn));
}

Test(policy, elf_is_looked_at_first)
{
    size_t size = 0;
    unsigned char *good = read_all(POLICY "plain.so", &size);
    cr_assert_eq(lh_elf_check(ctx, "x.so", good, size), LEHR_OK);
    const unsigned char other_class = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
    const uint16_t machine = 0x9999, type = ET_EXEC, zero = 0;
    const uint32_t none = PT_NULL, executable = PF_R | PF_W | PF_X;
    const ElfW(Dyn) tls = {.d_tag = DT_FLAGS, .d_un.d_val = DF_STATIC_TLS},
                    text = {.d_tag = DT_FLAGS, .d_un.d_val = DF_TEXTREL},
                    pie = {.d_tag = DT_FLAGS_1, .d_un.d_val = DF_1_PIE};
    patched(good, size, 0, "\x7f" "ELE", 4, "not an ELF file");
    patched(good, size, EI_CLASS, &other_class, 1, "word size");
    patched(good, size, offsetof(ElfW(Ehdr), e_machine), &machine, 2, "another processor");
    patched(good, size, offsetof(ElfW(Ehdr), e_type), &type, 2, "not a shared object");
    patched(good, size, offsetof(ElfW(Ehdr), e_phentsize), &zero, 2, "damaged");
    patched(good, size, segment_at(good, PT_DYNAMIC), &none, 4, "no dynamic section");
    patched(good, size, segment_at(good, PT_GNU_STACK), &none, 4, "does not say that its stack");
    patched(good, size, segment_at(good, PT_GNU_STACK) + offsetof(ElfW(Phdr), p_flags), &executable, 4,
            "wants an executable stack");
    patched(good, size, dynamic_at(good, 0), &tls, sizeof tls, "static thread-local");
    patched(good, size, dynamic_at(good, 0), &text, sizeof text, "-fPIC");
    patched(good, size, dynamic_at(good, 0), &pie, sizeof pie, "is a program");
    free(good);
    cr_expect_eq(load(POLICY "static_tls.so"), LEHR_E_PLUGIN);
    says("static thread-local");
}

/* Any bytes: refused or not, but never read outside the file. */
Test(policy, elf_of_random_damage)
{
    size_t size = 0, refused = 0;
    unsigned char *good = read_all(POLICY "plain.so", &size), *bytes = malloc(size);
    srand(7);
    for (unsigned round = 0; round < 4000; round++) {
        size_t length = round % 4 ? size : (size_t)rand() % (size + 1);
        unsigned char *exact = malloc(length ? length : 1); /* a sanitizer sees its end */
        memcpy(bytes, good, size);
        for (int i = rand() % 8; i >= 0; i--) {
            size_t reach = round % 2 ? size : 1024;
            bytes[(size_t)rand() % (reach < size ? reach : size)] = (unsigned char)rand();
        }
        memcpy(exact, bytes, length);
        if (lh_elf_check(ctx, "x.so", exact, length) != LEHR_OK) refused++;
        lh_enter(ctx);
        free(exact);
    }
    cr_expect(refused > 1000, "%zu refused", refused);
    free(good);
    free(bytes);
}

/* ---- identity ---- */

Test(policy, names_and_texts)
{
    static const struct {
        const char *name, *part;
    } rows[] = {{"word", "schedule clip, name: is a word of the schedule language"},
                {"control_doc", "one line without control characters"},
                {"state_twice", "the name best is used twice"},
                {"preset_twice", "the prefix a is used twice"},
                {"metric", "parameter metric: metric= is the metric that is waited for"}};
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        char path[512];
        snprintf(path, sizeof path, POLICY "%s.so", rows[i].name);
        cr_expect_eq(load(path), LEHR_E_PLUGIN, "%s was loaded", rows[i].name);
        says(rows[i].part);
    }
}

Test(policy, ids)
{
    cr_expect_eq(load(POLICY "control_id.so"), LEHR_E_PLUGIN);
    says("control character");
    cr_expect_null(strchr(lehr_context_message(ctx), '\033'));
    cr_expect_eq(load(POLICY "same_id.so"), LEHR_E_PLUGIN);
    says("its id 'org.lehr.cosine' is that of");
    says("lehr-cosine.so");
}

/* ---- where is searched, and who may write there ---- */

static lehr_status find(void)
{
    const lehr_schedule *d = NULL;
    lehr_registry_destroy(&reg);
    cr_assert_eq(lehr_registry_create(ctx, NULL, &reg), LEHR_OK, "%s", lehr_context_message(ctx));
    return lehr_registry_find_schedule(reg, "policy", &d);
}

Test(policy, others_must_not_write_where_is_searched)
{
    mkdir(in_top("a"), 0755);
    mkdir(in_top("a/b"), 0755);
    copy(POLICY "plain.so", in_top("a/b/lehr-policy.so"));
    chmod(in_top("a/b/lehr-policy.so"), 0644);
    setenv("LEHR_PLUGIN_PATH", in_top("a/b"), 1);
    cr_expect_eq(find(), LEHR_OK, "%s", lehr_context_message(ctx));
    static const struct {
        const char *path;
        mode_t bad, good;
    } rows[] = {{"a/b/lehr-policy.so", 0666, 0644}, {"a/b", 0777, 0755}, {"a", 0777, 0755}};
    for (size_t i = 0; i < LH_COUNT(rows); i++) {
        chmod(in_top(rows[i].path), rows[i].bad);
        cr_expect_eq(find(), LEHR_E_PLUGIN, "%s", rows[i].path);
        says("is writable by everybody, so it is not searched");
        says(in_top(rows[i].path));
        says("chmod go-w");
        chmod(in_top(rows[i].path), rows[i].good);
    }
    chmod(top, 0777);
    cr_expect_eq(find(), LEHR_E_PLUGIN, "two levels up");
    chmod(top, 0755);
    chmod(in_top("a"), 01777); /* sticky: others cannot replace what is not theirs */
    cr_expect_eq(find(), LEHR_OK, "%s", lehr_context_message(ctx));
    chmod(in_top("a"), 0755);
    mkdir(in_top("open"), 0777);
    chmod(in_top("open"), 0777); /* a link into a place that others can write to */
    copy(POLICY "plain.so", in_top("open/real.so"));
    unlink(in_top("a/b/lehr-policy.so"));
    cr_assert_eq(symlink(in_top("open/real.so"), in_top("a/b/lehr-policy.so")), 0);
    cr_expect_eq(find(), LEHR_E_PLUGIN);
    says("/open is writable by everybody");
    if (geteuid() != 0) return;
    chmod(in_top("open"), 0755);
    cr_assert_eq(chown(in_top("open"), 12345, 12345), 0);
    cr_expect_eq(find(), LEHR_E_PLUGIN);
    says("belongs to another user");
}

Test(policy, named_paths_are_warned_about)
{
    mkdir(in_top("d"), 0755);
    copy(POLICY "plain.so", in_top("d/x.so"));
    chmod(in_top("d/x.so"), 0644);
    cr_expect_eq(load(in_top("d/x.so")), LEHR_OK);
    cr_expect_str_eq(warnings, "");
    chmod(in_top("d/x.so"), 0666);
    cr_expect_eq(load(in_top("d/x.so")), LEHR_OK);
    cr_expect(strstr(warnings, "d/x.so is writable by everybody"), "%s", warnings);
    chmod(in_top("d/x.so"), 0644);
    chmod(in_top("d"), 0777);
    cr_expect_eq(load(in_top("d/x.so")), LEHR_OK);
    cr_expect(strstr(warnings, "/d is writable by everybody"), "%s", warnings);
}

Test(policy, what_is_searched)
{
    mkdir(in_top("share"), 0755);
    mkdir(in_top("share/lehr"), 0755);
    mkdir(in_top("share/lehr/plugins"), 0755);
    mkdir(in_top("path"), 0755);
    copy(POLICY "plain.so", in_top("share/lehr/plugins/lehr-policy.so"));
    copy(POLICY "marker.so", in_top("share/lehr/plugins/lehr-other.so"));
    setenv("LEHR_TEST_MARKER", in_top("marker"), 1);
    unsetenv("LEHR_PLUGIN_PATH");
    setenv("XDG_DATA_HOME", in_top("share"), 1);
    cr_expect_eq(find(), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_neq(access(in_top("marker"), F_OK), 0, "a file that nobody asked for was opened");
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", top, 1);
    cr_expect_eq(find(), LEHR_E_USAGE);
    mkdir(in_top(".local"), 0755);
    cr_assert_eq(rename(in_top("share"), in_top(".local/share")), 0);
    cr_expect_eq(find(), LEHR_OK, "%s", lehr_context_message(ctx));
    copy(POLICY "marker.so", in_top("path/lehr-policy.so")); /* LEHR_PLUGIN_PATH comes first */
    setenv("LEHR_PLUGIN_PATH", in_top("path"), 1);
    cr_expect_eq(find(), LEHR_OK, "%s", lehr_context_message(ctx));
    cr_expect_eq(access(in_top("marker"), F_OK), 0, "the first entry was not taken");
    cr_assert_eq(chdir(top), 0);
    setenv("HOME", "/nonexistent", 1);
    setenv("LEHR_PLUGIN_PATH", "path:.:./path::../path", 1); /* relative entries are nothing */
    cr_expect_eq(find(), LEHR_E_USAGE);
    copy(POLICY "plain.so", in_top("path/lehr-nothing.so"));
    setenv("LEHR_PLUGIN_PATH", in_top("path"), 1);
    const lehr_schedule *d = NULL;
    cr_expect_eq(lehr_registry_find_schedule(reg, "nothing", &d), LEHR_E_PLUGIN);
    says("holds no schedule and no optimizer 'nothing', which its file name promises");
}

Test(policy, turned_off)
{
    const char *files[] = {POLICY "plain.so"};
    lehr_registry_params params = {.files = files, .file_count = 1, .no_plugins = 1};
    cr_expect_eq(lehr_registry_create(ctx, &params, &reg), LEHR_E_USAGE);
    says("leave out --no-plugins");
    params.file_count = 0;
    copy(POLICY "plain.so", in_top("lehr-policy.so"));
    setenv("LEHR_PLUGIN_PATH", top, 1);
    cr_assert_eq(lehr_registry_create(ctx, &params, &reg), LEHR_OK);
    const lehr_schedule *d = NULL;
    cr_expect_eq(lehr_registry_find_schedule(reg, "policy", &d), LEHR_E_USAGE);
    cr_expect_eq(lehr_registry_find_schedule(reg, "cosine", &d), LEHR_OK);
}
