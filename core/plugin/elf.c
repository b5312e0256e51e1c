/* SPDX-License-Identifier: MIT
 *
 * A look at a shared object before dlopen: class, machine, type, exported entry, executable stack,
 * static thread-local storage.  Every offset is checked against the file's size. */
#define _GNU_SOURCE
#include "core/plugin/host.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Shdr) elf_section;
typedef ElfW(Dyn) elf_dynamic;
typedef ElfW(Sym) elf_symbol;

typedef struct image {
    const unsigned char *bytes;
    size_t size;
    elf_header head;
} image;

/* Copies count bytes at offset, since nothing promises alignment; false past the end. */
static bool take(const image *in, uint64_t offset, void *out, size_t count)
{
    if (offset > in->size || count > in->size - (size_t)offset) return false;
    memcpy(out, in->bytes + offset, count);
    return true;
}

/* Header of this process' own program: the class and machine that can be loaded. */
static bool own_header(elf_header *out)
{
    FILE *self = fopen("/proc/self/exe", "rb");
    if (!self) return false;
    bool ok = fread(out, sizeof *out, 1, self) == 1;
    fclose(self);
    return ok;
}

static const char *wrong_header(const image *in)
{
    elf_header own;
    if (memcmp(in->head.e_ident, ELFMAG, SELFMAG) != 0)
        return "is not an ELF file: build it as a shared object (cc -fPIC -shared)";
    if (own_header(&own)) {
        if (in->head.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] ||
            in->head.e_ident[EI_DATA] != own.e_ident[EI_DATA])
            return "has another word size or byte order than this program: build it for this "
                   "machine";
        if (in->head.e_machine != own.e_machine)
            return "is built for another processor: build it on this machine";
    }
    if (in->head.e_type != ET_DYN) return "is not a shared object: build it with cc -fPIC -shared";
    if (in->head.e_phentsize != sizeof(elf_segment)) return "has a damaged ELF header";
    return NULL;
}

static const char *wrong_dynamic(const image *in, const elf_segment *segment)
{
    for (uint64_t at = 0; at + sizeof(elf_dynamic) <= segment->p_filesz;
         at += sizeof(elf_dynamic)) {
        elf_dynamic entry;
        if (!take(in, segment->p_offset + at, &entry, sizeof entry)) return "is cut off";
        if (entry.d_tag == DT_NULL) break;
        if (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_STATIC_TLS))
            return "uses static thread-local storage: build it without -ftls-model=initial-exec";
        if (entry.d_tag == DT_TEXTREL ||
            (entry.d_tag == DT_FLAGS && (entry.d_un.d_val & DF_TEXTREL)))
            return "needs its code changed while it is loaded: build it with -fPIC";
        if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_PIE))
            return "is a program, not a shared object: build it with cc -fPIC -shared";
    }
    return NULL;
}

static const char *wrong_segments(const image *in)
{
    bool dynamic = false, stack = false;
    for (unsigned i = 0; i < in->head.e_phnum; i++) {
        elf_segment segment;
        if (!take(in, in->head.e_phoff + (uint64_t)i * sizeof segment, &segment, sizeof segment))
            return "is cut off";
        if (segment.p_type == PT_GNU_STACK) stack = true;
        if (segment.p_type == PT_GNU_STACK && (segment.p_flags & PF_X))
            return "wants an executable stack: build it with -Wl,-z,noexecstack";
        if (segment.p_type == PT_LOAD && (segment.p_offset > in->size ||
                                          segment.p_filesz > in->size - segment.p_offset))
            return "is cut off";
        if (segment.p_type != PT_DYNAMIC) continue;
        dynamic = true;
        const char *wrong = wrong_dynamic(in, &segment);
        if (wrong) return wrong;
    }
    if (!dynamic) return "has no dynamic section: build it with cc -fPIC -shared";
    /* Without the mark the loader makes every stack of the process executable. */
    return stack ? NULL : "does not say that its stack is not executable: build it with "
                          "-Wl,-z,noexecstack";
}

static bool symbol_is(const image *in, const elf_section *strings, const elf_symbol *symbol,
                      const char *name)
{
    char text[32];
    size_t length = strlen(name) + 1;
    return symbol->st_shndx != SHN_UNDEF && symbol->st_name < strings->sh_size &&
           take(in, strings->sh_offset + symbol->st_name, text, length) &&
           memcmp(text, name, length) == 0;
}

/* True when the entry is defined, or when section headers are stripped and only dlsym can tell. */
static bool exports_entry(const image *in)
{
    for (unsigned i = 0; i < in->head.e_shnum; i++) {
        elf_section table, strings;
        uint64_t at = in->head.e_shoff, step = sizeof table;
        if (!take(in, at + i * step, &table, sizeof table)) return true;
        if (table.sh_type != SHT_DYNSYM) continue;
        if (!take(in, at + table.sh_link * step, &strings, sizeof strings)) return true;
        for (uint64_t k = 0; k + sizeof(elf_symbol) <= table.sh_size; k += sizeof(elf_symbol)) {
            elf_symbol symbol;
            if (!take(in, table.sh_offset + k, &symbol, sizeof symbol)) return false;
            if (symbol_is(in, &strings, &symbol, "lehr_plugin_v1")) return true;
        }
        return false;
    }
    return true;
}

lehr_status lh_elf_check(lehr_context *ctx, const char *path, const unsigned char *bytes,
                         size_t size)
{
    image in = {.bytes = bytes, .size = size};
    if (size < sizeof in.head)
        return lh_fail(ctx, LEHR_E_PLUGIN, "plugin %s: is too short to be a shared object", path);
    memcpy(&in.head, bytes, sizeof in.head);
    const char *wrong = wrong_header(&in);
    if (!wrong) wrong = wrong_segments(&in);
    if (!wrong && !exports_entry(&in))
        wrong =
            "exports no lehr_plugin_v1: it is no lehr plugin, or built for another major version";
    return wrong ? lh_fail(ctx, LEHR_E_PLUGIN, "plugin %s: %s", path, wrong) : LEHR_OK;
}
