/* SPDX-License-Identifier: MIT
 *
 * The terminal, from isatty, TIOCGWINSZ and the environment; setlocale() is not used. */
#include "cli/terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/text.h"

static bool dumb(void)
{
    const char *term = getenv("TERM");
    return !term || !*term || strcmp(term, "dumb") == 0;
}

bool terminal_is(FILE *stream) { return isatty(fileno(stream)) == 1; }

bool terminal_can_redraw(FILE *stream) { return terminal_is(stream) && !dumb(); }

unsigned terminal_width(FILE *stream)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t number = 0;
    if (columns && parse_uint(columns, &number) && number >= 20 && number <= 10000)
        return (unsigned)number;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
    return 80;
}

bool terminal_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *term = getenv("TERM");
    if (term && strcmp(term, "dumb") == 0) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value) continue;
        return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

bool terminal_colour(FILE *stream)
{
    const char *none = getenv("NO_COLOR");
    return terminal_can_redraw(stream) && !(none && *none);
}
