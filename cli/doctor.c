/* SPDX-License-Identifier: MIT
 *
 * The verb doctor: looks at what training needs and says what is there, what is not, and what to do:
 * OpenCL loader, registered drivers, devices, kernel cache, graphics devices, plugins, data. */
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lehr/tune.h>

#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"

enum { MAX_DEVICES = 64, PATH_SIZE = 1024 };

typedef enum finding { FINE, NOTE, BAD } finding;

static void print_finding(finding kind, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void print_finding(finding kind, const char *what, const char *fmt, ...)
{
    static const char *const marks[] = {"ok  ", "note", "BAD "};
    va_list args;
    va_start(args, fmt);
    printf("%s  %-9s  ", marks[kind], what);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
}

/* ---- OpenCL loader and drivers ---- */

static const char *dlopen_error(const char *library)
{
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (!handle) return dlerror();
    return NULL; /* left open: drivers do not survive being closed */
}

static void check_loader(void)
{
    const char *error = dlopen_error("libOpenCL.so.1");
    if (error)
        print_finding(BAD, "loader", "libOpenCL.so.1: %s; type: apt install ocl-icd-libopencl1", error);
    else
        print_finding(FINE, "loader", "libOpenCL.so.1 loads");
}

/* First line of an .icd file: the library. */
static bool read_icd(const char *path, char *library, size_t size)
{
    FILE *file = fopen(path, "r");
    bool good = file && fgets(library, (int)size, file) != NULL;
    if (file) fclose(file);
    if (!good) return false;
    library[strcspn(library, "\r\n")] = '\0';
    return *library != '\0';
}

static void check_icd(const char *path)
{
    char library[PATH_SIZE];
    if (!read_icd(path, library, sizeof library)) {
        print_finding(BAD, "driver", "%s is empty or cannot be read", path);
        return;
    }
    const char *error = dlopen_error(library);
    if (error)
        print_finding(BAD, "driver", "%s -> %s does not load: %s", path, library, error);
    else
        print_finding(FINE, "driver", "%s -> %s loads", path, library);
}

static bool is_icd(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".icd") == 0;
}

static void check_drivers(void)
{
    const char *vendors = getenv("OCL_ICD_VENDORS");
    const char *directory = vendors && *vendors ? vendors : "/etc/OpenCL/vendors";
    char path[PATH_SIZE];
    unsigned found = 0;
    if (vendors && *vendors)
        print_finding(NOTE, "driver", "OCL_ICD_VENDORS is set: drivers are looked for in %s", directory);
    if (is_icd(directory)) {
        check_icd(directory);
        return;
    }
    DIR *d = opendir(directory);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (!is_icd(e->d_name)) continue;
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        check_icd(path);
        found++;
    }
    if (d) closedir(d);
    if (found == 0)
        print_finding(BAD, "driver", "%s has no .icd file: no driver is registered; for a CPU type: "
                      "apt install pocl-opencl-icd", directory);
}

/* ---- devices ---- */

static uint32_t check_devices(session *s)
{
    uint32_t count = 0;
    char memory[NUMBER_SIZE], local[NUMBER_SIZE];
    lehr_device_info *rows = calloc(MAX_DEVICES, sizeof *rows);
    lehr_status st = rows ? lehr_device_list(s->ctx, rows, MAX_DEVICES, &count) : LEHR_E_MEMORY;
    if (st != LEHR_OK) print_finding(BAD, "device", "%s", lehr_context_message(s->ctx));
    if (count > MAX_DEVICES) count = MAX_DEVICES;
    for (uint32_t i = 0; st == LEHR_OK && i < count; i++) {
        const lehr_device_info *d = &rows[i];
        print_finding(FINE, "device", "%u: %s (%s, %s, driver %s): %u units, %s, local %s, work-group "
                      "%llu, %s kernels", d->index, d->name, d->platform, d->version, d->driver,
                      d->compute_units, bytes_text(d->global_bytes, memory),
                      bytes_text(d->local_bytes, local), (unsigned long long)d->max_work_group,
                      d->family);
    }
    if (st == LEHR_OK && count == 0 && lehr_device_open(s->ctx, "auto", &s->device) != LEHR_OK)
        print_finding(BAD, "device", "%s", lehr_context_message(s->ctx));
    free(rows);
    return count;
}

/* The kernels of the built-in models on one device, while there is time. */
static bool check_kernels(session *s, uint32_t device, double seconds)
{
    lehr_self_test_result r = {0};
    lehr_status st = LEHR_OK;
    const char *name;
    char time[NUMBER_SIZE];
    bool whole = true;
    for (uint32_t i = 0; st == LEHR_OK && (name = lehr_model_builtin(i)) != NULL; i++) {
        whole = i == 0 || r.seconds < seconds;
        if (!whole) break;
        st = lehr_model_load(s->ctx, name, &s->model);
        if (st == LEHR_OK) st = lehr_self_test(s->device, s->model, seconds - r.seconds, &r);
        lehr_model_destroy(&s->model);
    }
    if (st != LEHR_OK) {
        print_finding(BAD, "kernels", "%u: %s", device, lehr_context_message(s->ctx));
        return false;
    }
    print_finding(r.wrong ? BAD : FINE, "kernels",
                  "%u: %u of %u compared with the reference in %s s, %u wrong%s", device,
                  r.checked, r.kernels, fixed_text(r.seconds, 1, time), r.wrong,
                  r.wrong ? ": they will not be used on this device"
                  : !whole || r.checked < r.kernels ? "; a larger --seconds compares more" : "");
    return r.wrong == 0;
}

/* False when a device computes wrongly. */
static bool check_opening(session *s, uint32_t count)
{
    char index[16];
    bool good = true;
    for (uint32_t i = 0; i < count; i++) {
        snprintf(index, sizeof index, "%u", i);
        lehr_status st = lehr_device_open(s->ctx, index, &s->device);
        if (st == LEHR_OK) st = lehr_device_finish(s->device);
        if (st != LEHR_OK)
            print_finding(BAD, "device", "%u cannot be opened: %s", i, lehr_context_message(s->ctx));
        else
            print_finding(FINE, "device", "%u opens, its queue answers", i);
        double seconds = option_real(s->set, OPT_SECONDS);
        if (st == LEHR_OK && seconds > 0) good = check_kernels(s, i, seconds) && good;
        lehr_device_destroy(&s->device);
    }
    return good;
}

/* ---- cache and graphics devices ---- */

static void check_cache(void)
{
    const char *pocl = getenv("POCL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[PATH_SIZE];
    if (pocl && *pocl)
        snprintf(path, sizeof path, "%s", pocl);
    else if (xdg && *xdg)
        snprintf(path, sizeof path, "%s", xdg);
    else if (home && *home)
        snprintf(path, sizeof path, "%s/.cache", home);
    else
        snprintf(path, sizeof path, "%s", "/nonexistent");
    const char *missing = access(path, F_OK) == 0 ? "" : " (made when needed)";
    char parent[PATH_SIZE];
    snprintf(parent, sizeof parent, "%s", path);
    while (access(parent, F_OK) != 0 && strrchr(parent, '/') && strrchr(parent, '/') != parent)
        *strrchr(parent, '/') = '\0';
    if (access(parent, W_OK) == 0)
        print_finding(FINE, "cache", "%s can be written%s", path, missing);
    else
        print_finding(NOTE, "cache", "%s cannot be written, so kernels are compiled again at each start; "
                      "set POCL_CACHE_DIR to a directory that can", path);
}

static void check_graphics(void)
{
    DIR *d = opendir("/dev/dri");
    char path[PATH_SIZE];
    unsigned found = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, "renderD", 7) != 0) continue;
        found++;
        snprintf(path, sizeof path, "/dev/dri/%s", e->d_name);
        if (access(path, R_OK | W_OK) == 0)
            print_finding(FINE, "graphics", "%s can be used", path);
        else
            print_finding(BAD, "graphics", "%s: %s; type: sudo usermod -aG render $USER, and log in again",
                          path, strerror(errno));
    }
    if (d) closedir(d);
    if (found == 0)
        print_finding(NOTE, "graphics", "no device in /dev/dri: without a GPU this is normal");
}

/* ---- plugins and data ---- */

static void check_plugins(session *s)
{
    uint32_t schedules = 0, optimizers = 0;
    if (session_registry(s) != LEHR_OK) {
        print_finding(BAD, "plugins", "%s", lehr_context_message(s->ctx));
        return;
    }
    uint32_t count = lehr_registry_plugin_count(s->registry);
    for (uint32_t i = 0; i < count; i++) {
        lehr_plugin_info info;
        lehr_registry_plugin(s->registry, i, &info);
        schedules += info.schedule_count;
        optimizers += info.optimizer_count;
        const char *slash = strrchr(info.path, '/');
        if (i == 0 && slash)
            print_finding(FINE, "plugins", "directory %.*s", (int)(slash - info.path), info.path);
    }
    print_finding(count ? FINE : BAD, "plugins", "%u plugins: %u schedules, %u optimizers", count,
                  schedules, optimizers);
}

static void check_data(void)
{
    const char *variable = getenv("LEHR_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char places[3][PATH_SIZE], file[PATH_SIZE + 64];
    unsigned count = 0;
    if (variable && *variable) snprintf(places[count++], PATH_SIZE, "%s", variable);
    if (xdg && *xdg)
        snprintf(places[count++], PATH_SIZE, "%s/lehr", xdg);
    else if (home && *home)
        snprintf(places[count++], PATH_SIZE, "%s/.local/share/lehr", home);
    for (unsigned i = 0; i < count; i++) {
        static const char *const below[] = {"", "/cifar10", "/cifar-10-batches-bin",
                                            "/cifar10/cifar-10-batches-bin"};
        for (size_t b = 0; b < sizeof below / sizeof *below; b++) {
            snprintf(file, sizeof file, "%s%s/data_batch_1.bin", places[i], below[b]);
            if (access(file, R_OK) != 0) continue;
            print_finding(FINE, "data", "CIFAR-10 in %s%s: --data cifar10:%s%s", places[i], below[b],
                          places[i], below[b]);
            return;
        }
    }
    print_finding(NOTE, "data", "no CIFAR-10 in $LEHR_DATA or %s; type: scripts/fetch-cifar10, or use "
                  "--data synthetic", count ? places[count - 1] : "the user's data directory");
}

int verb_doctor(settings *set)
{
    session s;
    lehr_status st = session_start(&s, set);
    if (st != LEHR_OK) return session_end(&s, st);
    print_finding(FINE, "lehr", "version %s", lehr_version());
    check_loader();
    check_drivers();
    uint32_t count = check_devices(&s);
    bool right = check_opening(&s, count);
    check_cache();
    check_graphics();
    check_plugins(&s);
    check_data();
    bool plugins = s.registry != NULL;
    session_end(&s, LEHR_OK);
    if (count == 0) return lehr_status_exit_code(LEHR_E_NO_DEVICE);
    if (!right) return lehr_status_exit_code(LEHR_E_DEVICE);
    return plugins ? 0 : lehr_status_exit_code(LEHR_E_PLUGIN);
}
