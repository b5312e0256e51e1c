/* SPDX-License-Identifier: MIT
 *
 * Checks of the file itself: nothing of it runs. */
#define _GNU_SOURCE
#include "core/check/check.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/files.h"

enum { MAX_FILE = 256 << 20 };

bool lh_check_read(lehr_checker *c)
{
    if (!c->read) {
        lh_enter(c->inner);
        char *bytes = NULL;
        if (lh_file_read(c->inner, c->file, MAX_FILE, LEHR_E_PLUGIN, &bytes, &c->size) != LEHR_OK) {
            lh_verdict(c, LEHR_CHECK_FAIL, "give the path of a shared object", "%s",
                       lehr_context_message(c->inner));
            return false;
        }
        c->bytes = (unsigned char *)bytes;
        c->read = true;
    }
    if (!c->elf_read) c->elf_wrong = lh_elf_read(c->bytes, c->size, &c->elf);
    c->elf_read = true;
    return true;
}

/* For the checks that need the object's tables. */
static bool readable(lehr_checker *c)
{
    if (!lh_check_read(c)) return false;
    if (!c->elf_wrong) return true;
    lh_verdict(c, LEHR_CHECK_FAIL, "build it with cc -fPIC -shared", "%s", c->elf_wrong);
    return false;
}

int lh_check_binary_file(lehr_checker *c)
{
    struct stat info;
    if (!lh_check_read(c)) return LEHR_CHECK_FAIL;
    if (stat(c->file, &info) != 0)
        return lh_verdict(c, LEHR_CHECK_FAIL, NULL, "%s", strerror(errno));
    char *real = realpath(c->file, NULL);
    lh_enter(c->inner);
    lehr_status st = real ? lh_path_check(c->inner, real, LH_TRUST_SEARCHED) : LEHR_OK;
    free(real);
    if (st == LEHR_OK) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN, "chmod go-w it, and own it", "%s",
                      lehr_context_message(c->inner));
}

static const char entry_name[] = "lehr_plugin_v1";

static bool holds(const lh_elf_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (strcmp(names->names[i], name) == 0) return true;
    return false;
}

/* Entry, stack and thread-local storage have checks of their own. */
int lh_check_binary_object(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    lh_enter(c->inner);
    if (lh_elf_check(c->inner, c->file, c->bytes, c->size) == LEHR_OK || c->elf.exec_stack ||
        c->elf.static_tls || (c->elf.symbols && !holds(&c->elf.strong, entry_name)))
        return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "build it with cc -fPIC -shared, on this machine", "%s",
                      lehr_context_message(c->inner));
}

static void list_names(const lh_elf_names *names, const char *but, lh_str *out)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < names->count && shown < 6; i++) {
        if (strcmp(names->names[i], but) == 0) continue;
        lh_str_printf(out, "%s%s", shown++ ? ", " : "", names->names[i]);
    }
    if (names->total > 7) lh_str_printf(out, " and more (%u)", (unsigned)names->total);
}

int lh_check_binary_entry(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    if (holds(&c->elf.strong, entry_name)) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "define it with LEHR_EXPORT, as LEHR_SCHEDULE_PLUGIN does",
                      "lehr_plugin_v1 is not exported");
}

int lh_check_binary_exports(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    lh_str names = {0};
    int verdict = LEHR_CHECK_OK;
    if (c->elf.strong.total > 1) {
        list_names(&c->elf.strong, entry_name, &names);
        verdict = lh_verdict(c, LEHR_CHECK_FAIL,
                             "make them static, or build with -fvisibility=hidden",
                             "also exports %s: another object's function of that name would be "
                             "called instead",
                             lh_str_text(&names));
    } else if (c->elf.weak.total > 0) {
        list_names(&c->elf.weak, entry_name, &names);
        verdict = lh_verdict(c, LEHR_CHECK_WARN,
                             "build with -fvisibility=hidden, or link with a version script",
                             "also exports weakly %s", lh_str_text(&names));
    }
    lh_str_free(&names);
    return verdict;
}

int lh_check_binary_undefined(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->elf.undefined.count; i++) {
        const char *name = c->elf.undefined.names[i];
        bool opencl = strncmp(name, "cl", 2) == 0 && name[2] >= 'A' && name[2] <= 'Z';
        if (strncmp(name, "lehr_", 5) == 0 || strncmp(name, "lh_", 3) == 0 || opencl)
            return lh_verdict(c, opencl ? LEHR_CHECK_WARN : LEHR_CHECK_FAIL,
                              opencl ? "use lehr.device/1 where it is enough"
                                     : "reach the host through the lehr_host it hands over",
                              "wants %s from outside", name);
    }
    return LEHR_CHECK_OK;
}

/* Runtimes that check programs are put there by the compiler's options, not by the author. */
static bool usual_library(const char *name)
{
    static const char *const usual[] = {"libc.so", "libm.so", "libdl.so", "libpthread.so",
                                        "librt.so", "ld-linux", "libgcc_s.so", "libc.musl",
                                        "ld-musl", "libasan.so", "libubsan.so", "libtsan.so",
                                        "liblsan.so", "libclang_rt."};
    for (size_t i = 0; i < LH_COUNT(usual); i++)
        if (strncmp(name, usual[i], strlen(usual[i])) == 0) return true;
    return false;
}

int lh_check_binary_libraries(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    for (uint32_t i = 0; i < c->elf.needed.count; i++)
        if (!usual_library(c->elf.needed.names[i]))
            return lh_verdict(c, LEHR_CHECK_WARN,
                              "link with -Wl,--as-needed, or the library's static form "
                              "(-static-libstdc++)",
                              "needs %s, which is not on every machine", c->elf.needed.names[i]);
    return LEHR_CHECK_OK;
}

int lh_check_binary_stack(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    if (!c->elf.exec_stack) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL,
                      "link with -Wl,-z,noexecstack; nested functions and assembly without a "
                      ".note.GNU-stack section ask for it",
                      "asks for an executable stack, for the whole process");
}

int lh_check_binary_tls(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    if (!c->elf.static_tls) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "build it without -ftls-model=initial-exec",
                      "uses static thread-local storage, of which a process has little");
}

int lh_check_binary_relocations(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    if (!c->elf.text_relocations) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_FAIL, "compile every file of it with -fPIC",
                      "has relocations in its code");
}

int lh_check_binary_search_path(lehr_checker *c)
{
    if (!readable(c)) return LEHR_CHECK_FAIL;
    if (!c->elf.search_path) return LEHR_CHECK_OK;
    return lh_verdict(c, LEHR_CHECK_WARN, "link it without -rpath",
                      "brings a search path for libraries (RPATH or RUNPATH)");
}
