/* SPDX-License-Identifier: MIT
 *
 * The verb plugin new: a complete starting file and a Makefile from the embedded templates
 * (cli/templates).  Nothing that exists is overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/session.h"
#include "cli/verbs.h"
#include "lehr_version.h"

/* Generated from cli/templates by scripts/embed.py. */
typedef struct template_source {
    const char *path, *text;
} template_source;
extern const template_source template_sources[];

enum { PATH_SIZE = PATH_MAX + 64 };

/* What stands for @NAME@, @LEHR@ and @INCLUDE@. */
typedef struct fill {
    const char *name;
    char lehr[PATH_SIZE], include[PATH_SIZE];
} fill;

static const char *template_text(const char *path)
{
    for (const template_source *t = template_sources; t->path; t++)
        if (strcmp(t->path, path) == 0) return t->text;
    return "";
}

/* ---- where this program and the header are ---- */

static bool own_path(char *out)
{
    char link[PATH_SIZE];
    ssize_t length = readlink("/proc/self/exe", link, PATH_MAX);
    if (length <= 0) return false;
    link[length] = '\0';
    snprintf(out, PATH_SIZE, "%s", link);
    return true;
}

/* Is the program that the shell finds as "lehr" this one? */
static bool in_path(const char *own)
{
    const char *path = getenv("PATH");
    char *list = strdup(path ? path : ""), *rest = list, real[PATH_MAX];
    bool found = false, same = false;
    for (char *directory; !found && (directory = strsep(&rest, ":")) != NULL;) {
        char file[PATH_SIZE];
        snprintf(file, sizeof file, "%.*s/lehr", PATH_MAX, directory);
        found = *directory == '/' && access(file, X_OK) == 0;
        same = found && realpath(file, real) && strcmp(real, own) == 0;
    }
    free(list);
    return same;
}

static bool has_header(const char *directory)
{
    char file[PATH_SIZE + 32];
    snprintf(file, sizeof file, "%s/lehr/plugin.h", directory);
    return access(file, R_OK) == 0;
}

/* Beside the program of an installation that may have been moved, in the sources of a build tree,
 * else where it was meant to be installed. */
static void find_include(const char *own, char *out)
{
    const char *slash = strrchr(own, '/');
    char beside[PATH_SIZE], real[PATH_MAX];
    snprintf(beside, sizeof beside, "%.*s/../include", slash ? (int)(slash - own) : 0, own);
    if (has_header(beside) && realpath(beside, real))
        snprintf(out, PATH_SIZE, "%s", real);
    else if (strncmp(own, LEHR_BUILD_DIR "/", sizeof LEHR_BUILD_DIR) == 0)
        snprintf(out, PATH_SIZE, "%s", LEHR_SOURCE_INCLUDE_DIR);
    else
        snprintf(out, PATH_SIZE, "%s", LEHR_INCLUDE_DIR);
}

/* ---- writing ---- */

/* In a Makefile '$' and '#' mean something. */
static void put_escaped(FILE *out, const char *text, bool makefile)
{
    for (const char *c = text; *c; c++) {
        if (makefile && *c == '$') fputc('$', out);
        if (makefile && *c == '#') fputc('\\', out);
        fputc(*c, out);
    }
}

static void put_template(FILE *out, const char *text, const fill *with, bool makefile)
{
    const struct {
        const char *mark, *text;
    } marks[] = {{"@NAME@", with->name}, {"@LEHR@", with->lehr}, {"@INCLUDE@", with->include}};
    for (const char *c = text; *c;) {
        size_t i = 0, count = sizeof marks / sizeof *marks;
        while (i < count && strncmp(c, marks[i].mark, strlen(marks[i].mark)) != 0) i++;
        if (i < count)
            put_escaped(out, marks[i].text, makefile);
        else
            fputc(*c, out);
        c += i < count ? strlen(marks[i].mark) : 1;
    }
}

static bool write_new(const settings *set, const char *path, const char *text, const fill *with,
                      bool makefile)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool good = file != NULL;
    if (file) put_template(file, text, with, makefile);
    if (file && (ferror(file) != 0)) good = false;
    if (file && fclose(file) != 0) good = false;
    if (good) return true;
    return usage_error(set->verb, "%s cannot be written (%s)", path, strerror(errno));
}

static bool absent(const settings *set, const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) return true;
    return usage_error(set->verb, "%s exists already and is not overwritten; remove it, or type: "
                       "--dir OTHER", path);
}

static bool make_directory(const settings *set, const char *path)
{
    if (mkdir(path, 0777) == 0) return true;
    struct stat info;
    if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return true;
    return usage_error(set->verb, "--dir %s cannot be made (%s)", path, strerror(errno));
}

static int write_plugin(const settings *set, const char *kind, const fill *with)
{
    const char *directory = option_text(set, OPT_DIR) ? option_text(set, OPT_DIR) : with->name;
    char source[PATH_SIZE], makefile[PATH_SIZE], template[64];
    bool schedule = strcmp(kind, "schedule") == 0;
    snprintf(source, sizeof source, "%.*s/lehr-%s.c", PATH_MAX - 64, directory, with->name);
    snprintf(makefile, sizeof makefile, "%.*s/Makefile", PATH_MAX - 64, directory);
    snprintf(template, sizeof template, "%s.c.in", kind);
    if (!make_directory(set, directory) || !absent(set, source) || !absent(set, makefile) ||
        !write_new(set, source, template_text(template), with, false) ||
        !write_new(set, makefile, template_text("Makefile.in"), with, true))
        return EXIT_CANNOT_WRITE;
    printf("wrote %s\nwrote %s\n\nnext, in %s:\n  make\n  make check\n"
           "  %s plugin info ./lehr-%s.so\n"
           "  %s train --plugin ./lehr-%s.so --%s '%s()' --data synthetic --epochs 3\n",
           source, makefile, directory, with->lehr, with->name, with->lehr, with->name,
           schedule ? "schedule" : "optimizer", with->name);
    return 0;
}

/* ---- the verb ---- */

int verb_plugin_new(settings *set)
{
    session s;
    const char *kind = set->args[0], *name = set->args[1];
    fill *with = calloc(1, sizeof *with);
    char own[PATH_SIZE] = "";
    int code = EXIT_USAGE;
    if (strcmp(kind, "schedule") != 0 && strcmp(kind, "optimizer") != 0) {
        usage_error(set->verb, "'%s' is neither schedule nor optimizer; type: lehr plugin new "
                    "optimizer NAME", kind);
        free(with);
        return code;
    }
    lehr_status st = session_start(&s, set);
    if (st == LEHR_OK && !with) st = LEHR_E_MEMORY;
    if (st == LEHR_OK) st = session_registry(&s);
    if (st == LEHR_OK) st = lehr_registry_name_free(s.registry, *kind == 'o', name);
    code = session_end(&s, st);
    if (code == 0) {
        with->name = name;
        bool known = own_path(own);
        snprintf(with->lehr, sizeof with->lehr, "%s", known && !in_path(own) ? own : "lehr");
        find_include(own, with->include);
        code = write_plugin(set, kind, with);
    }
    free(with);
    return code;
}
