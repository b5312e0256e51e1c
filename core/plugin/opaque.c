/* SPDX-License-Identifier: MIT
 *
 * lehr.state/1: calling save() and load() of an instance with a stream over memory. */
#include "core/plugin/opaque.h"

#include <stdlib.h>
#include <string.h>

#include "core/plugin/abi.h"
#include "core/plugin/host.h"

lehr_status lh_keeper_open(lh_host *host, const char *kind, const char *text,
                           const void *(*ext)(const char *id), void *self, lh_keeper *out)
{
    fenv_t env;
    *out = (lh_keeper){.host = host, .kind = kind, .text = text, .self = self};
    if (!ext || !self) return LEHR_OK;
    lh_guard_begin(host, &env);
    const lehr_opaque *opaque = ext("lehr.state/1");
    lh_guard_end(&env);
    if (!opaque) return LEHR_OK;
    if (opaque->size < LH_LEAST_OPAQUE || !opaque->save || !opaque->load)
        return lh_fail(host->ctx, LEHR_E_PLUGIN, "%s %s: its ext() gives no lehr.state/1 with size, save "
                       "and load", kind, text);
    size_t known = sizeof out->opaque;
    memcpy(&out->opaque, opaque, opaque->size < known ? opaque->size : known);
    out->opaque.size = sizeof out->opaque;
    return LEHR_OK;
}

/* ---- saving ---- */

typedef struct writer {
    lh_bytes *out;
    bool too_long, no_memory;
} writer;

static bool make_room(writer *w, uint64_t n)
{
    lh_bytes *b = w->out;
    w->too_long = w->too_long || n > LH_OPAQUE_LIMIT - b->count;
    if (w->too_long || w->no_memory) return false;
    if (b->count + n <= b->capacity) return true;
    uint64_t capacity = b->capacity ? 2 * b->capacity : LH_OPAQUE_PIECE;
    unsigned char *at = realloc(b->at, (size_t)capacity);
    w->no_memory = !at;
    if (!at) return false;
    b->at = at;
    b->capacity = capacity;
    return true;
}

static int64_t take(const lehr_stream *stream, void *bytes, uint64_t n)
{
    writer *w = stream->priv;
    uint64_t piece = n < LH_OPAQUE_PIECE ? n : LH_OPAQUE_PIECE;
    if (!piece) return 0;
    if (!bytes || !make_room(w, piece)) return -1;
    memcpy(w->out->at + w->out->count, bytes, (size_t)piece);
    w->out->count += piece;
    return (int64_t)piece;
}

lehr_status lh_keeper_save(const lh_keeper *k, lh_bytes *out)
{
    lehr_context *ctx = k->host->ctx;
    writer w = {.out = out};
    const lehr_stream stream = {.size = sizeof stream, .priv = &w, .rw = take};
    fenv_t env;
    *out = (lh_bytes){0};
    lh_guard_begin(k->host, &env);
    lehr_status st = k->opaque.save(&k->host->api, k->self, &stream);
    lh_guard_end(&env);
    if (w.no_memory)
        return lh_fail(ctx, LEHR_E_MEMORY, "%s %s: out of memory for its state", k->kind, k->text);
    if (w.too_long)
        return lh_fail(ctx, LEHR_E_PLUGIN, "%s %s: save() gives more than %d MiB; keep less, or use slots",
                       k->kind, k->text, LH_OPAQUE_LIMIT >> 20);
    if (st == LEHR_OK) return LEHR_OK;
    return lh_fail(ctx, LEHR_E_PLUGIN, "%s %s: its state cannot be saved: %s", k->kind, k->text,
                   k->host->message[0] ? k->host->message : lehr_status_text(st));
}

/* ---- loading ---- */

typedef struct reader {
    const unsigned char *at;
    uint64_t left;
} reader;

static int64_t give(const lehr_stream *stream, void *bytes, uint64_t n)
{
    reader *r = stream->priv;
    uint64_t piece = n < LH_OPAQUE_PIECE ? n : LH_OPAQUE_PIECE;
    if (piece > r->left) piece = r->left;
    if (!piece) return 0;
    if (!bytes) return -1;
    memcpy(bytes, r->at, (size_t)piece);
    r->at += piece;
    r->left -= piece;
    return (int64_t)piece;
}

lehr_status lh_keeper_load(const lh_keeper *k, const void *bytes, uint64_t count, uint32_t version)
{
    lehr_context *ctx = k->host->ctx;
    reader r = {bytes, count};
    const lehr_stream stream = {.size = sizeof stream, .priv = &r, .rw = give};
    fenv_t env;
    lh_guard_begin(k->host, &env);
    lehr_status st = k->opaque.load(&k->host->api, k->self, &stream, version);
    lh_guard_end(&env);
    if (st != LEHR_OK)
        return lh_fail(ctx, LEHR_E_CHECKPOINT, "%s %s does not take its saved state (version %u, %llu "
                       "bytes): %s", k->kind, k->text, version, (unsigned long long)count,
                       k->host->message[0] ? k->host->message : lehr_status_text(st));
    if (r.left)
        return lh_fail(ctx, LEHR_E_CHECKPOINT, "%s %s: load() leaves %llu of %llu bytes of its saved state "
                       "(version %u) unread", k->kind, k->text, (unsigned long long)r.left,
                       (unsigned long long)count, version);
    return LEHR_OK;
}
