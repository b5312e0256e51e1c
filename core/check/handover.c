/* SPDX-License-Identifier: MIT
 *
 * From one instance to another, as when a run is resumed: state variables, and through lehr.state/1 what
 * the plugin keeps in memory of its own. */
#include "core/check/check.h"
#include "core/plugin/opaque.h"

#include <stdlib.h>

/* The instance with the checker's own host: memory taken in load() is counted, too. */
static lehr_status open_keeper(lh_subject *s, lh_host *host, lh_keeper *out)
{
    const void *(*ext)(const char *id) = s->schedule ? s->schedule->ext : s->optimizer->ext;
    lh_host_init(host, s->c->inner);
    host->api = s->host.api;
    return lh_keeper_open(host, s->schedule ? "schedule" : "optimizer", lh_str_text(&s->text), ext,
                          s->created ? s->self : NULL, out);
}

bool lh_subject_keeps_memory(lh_subject *s)
{
    lh_host host;
    lh_keeper keeper;
    return open_keeper(s, &host, &keeper) == LEHR_OK && keeper.opaque.size;
}

/* save() and load(); the stream is as in a run. */
int lh_subject_hand_over(lh_subject *from, lh_subject *to)
{
    lh_host hosts[2];
    lh_keeper keepers[2];
    lh_bytes bytes = {0};
    lh_subject_set_state(to, from->state);
    from->host.message[0] = to->host.message[0] = '\0';
    lehr_status st = open_keeper(from, &hosts[0], &keepers[0]);
    if (st == LEHR_OK) st = open_keeper(to, &hosts[1], &keepers[1]);
    if (st == LEHR_OK && keepers[0].opaque.size && keepers[1].opaque.size) {
        lh_note(from->c, "save() of %s", lh_str_text(&from->text));
        st = lh_keeper_save(&keepers[0], &bytes);
        lh_note(from->c, "load() of %s", lh_str_text(&from->text));
        if (st == LEHR_OK)
            st = lh_keeper_load(&keepers[1], bytes.at, bytes.count, keepers[0].opaque.version);
    }
    free(bytes.at);
    if (st == LEHR_OK) return LEHR_CHECK_OK;
    const char *said = *to->host.message ? to->host.message : from->host.message;
    return lh_verdict(from->c, LEHR_CHECK_FAIL, "let load() of lehr.state/1 take all that save() writes, in "
                      "as many pieces as the stream moves", "%s%s%s",
                      lehr_context_message(from->c->inner), *said ? "; it said: " : "", said);
}
