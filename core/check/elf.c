/* SPDX-License-Identifier: MIT
 *
 * What a shared object says about itself: exported and wanted symbols, libraries, flags.  Only bytes
 * are read, nothing is loaded; every offset is checked against the file's size. */
#include "core/check/check.h"

#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

typedef struct image {
    const unsigned char *bytes;
    size_t size;
    ElfW(Ehdr) head;
} image;

static bool take(const image *in, uint64_t offset, void *out, size_t count)
{
    if (offset > in->size || count > in->size - (size_t)offset) return false;
    memcpy(out, in->bytes + offset, count);
    return true;
}

/* A text of the file; NULL when it does not end within it. */
static const char *text_at(const image *in, uint64_t offset)
{
    if (offset >= in->size) return NULL;
    const unsigned char *at = in->bytes + offset;
    return memchr(at, 0, in->size - (size_t)offset) ? (const char *)at : NULL;
}

static void add(lh_elf_names *names, const char *name)
{
    names->total++;
    if (!name || names->count == LH_ELF_NAMES) return;
    size_t size = strlen(name) + 1;
    char *copy = malloc(size);
    if (!copy) return;
    memcpy(copy, name, size);
    names->names[names->count++] = copy;
}

static void read_symbols(const image *in, const ElfW(Shdr) *table, const ElfW(Shdr) *strings,
                         lh_elf *out)
{
    for (uint64_t k = sizeof(ElfW(Sym)); k + sizeof(ElfW(Sym)) <= table->sh_size;
         k += sizeof(ElfW(Sym))) {
        ElfW(Sym) s;
        if (!take(in, table->sh_offset + k, &s, sizeof s)) return;
        unsigned bind = s.st_info >> 4, visibility = s.st_other & 3u, type = s.st_info & 15u;
        const char *name = text_at(in, strings->sh_offset + s.st_name);
        if (!name || !*name || bind == STB_LOCAL) continue;
        if (s.st_shndx == SHN_UNDEF) {
            if (bind != STB_WEAK) add(&out->undefined, name);
        } else if (s.st_shndx < SHN_LORESERVE && visibility == STV_DEFAULT && type <= STT_TLS) {
            add(bind == STB_WEAK ? &out->weak : &out->strong, name);
        }
    }
}

static void read_sections(const image *in, lh_elf *out)
{
    for (unsigned i = 0; i < in->head.e_shnum; i++) {
        ElfW(Shdr) table, strings;
        uint64_t at = in->head.e_shoff, step = sizeof table;
        if (!take(in, at + i * step, &table, sizeof table)) return;
        if (table.sh_type != SHT_DYNSYM ||
            !take(in, at + table.sh_link * step, &strings, sizeof strings))
            continue;
        out->symbols = true;
        read_symbols(in, &table, &strings, out);
    }
}

/* File offset of an address, by the segments that are loaded; the size when there is none. */
static uint64_t offset_of(const image *in, uint64_t address)
{
    for (unsigned i = 0; i < in->head.e_phnum; i++) {
        ElfW(Phdr) s;
        if (!take(in, in->head.e_phoff + (uint64_t)i * sizeof s, &s, sizeof s)) break;
        if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
            return s.p_offset + (address - s.p_vaddr);
    }
    return in->size;
}

static void read_dynamic(const image *in, const ElfW(Phdr) *segment, lh_elf *out)
{
    uint64_t strings = in->size;
    ElfW(Dyn) d;
    for (int names = 0; names < 2; names++) /* where the names are is told in the same list */
        for (uint64_t at = 0; at + sizeof d <= segment->p_filesz; at += sizeof d) {
            if (!take(in, segment->p_offset + at, &d, sizeof d) || d.d_tag == DT_NULL) break;
            if (d.d_tag == DT_STRTAB) strings = offset_of(in, d.d_un.d_ptr);
            if (d.d_tag == DT_NEEDED && names) add(&out->needed, text_at(in, strings + d.d_un.d_val));
            if (d.d_tag == DT_RPATH || d.d_tag == DT_RUNPATH) out->search_path = true;
            if (d.d_tag == DT_TEXTREL) out->text_relocations = true;
            if (d.d_tag != DT_FLAGS) continue;
            if (d.d_un.d_val & DF_STATIC_TLS) out->static_tls = true;
            if (d.d_un.d_val & DF_TEXTREL) out->text_relocations = true;
        }
}

static void read_segments(const image *in, lh_elf *out)
{
    for (unsigned i = 0; i < in->head.e_phnum; i++) {
        ElfW(Phdr) s;
        if (!take(in, in->head.e_phoff + (uint64_t)i * sizeof s, &s, sizeof s)) return;
        if (s.p_type == PT_GNU_STACK && (s.p_flags & PF_X)) out->exec_stack = true;
        if (s.p_type != PT_DYNAMIC) continue;
        out->dynamic = true;
        read_dynamic(in, &s, out);
    }
}

const char *lh_elf_read(const unsigned char *bytes, size_t size, lh_elf *out)
{
    image in = {.bytes = bytes, .size = size};
    *out = (lh_elf){.dynamic = false};
    if (!take(&in, 0, &in.head, sizeof in.head) || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return "it is not an ELF file";
    if (in.head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
        return "its word size is another one";
    if (in.head.e_type != ET_DYN) return "it is not a shared object";
    read_segments(&in, out);
    read_sections(&in, out);
    return out->dynamic ? NULL : "it has no dynamic section";
}

void lh_elf_free(lh_elf *elf)
{
    lh_elf_names *all[] = {&elf->strong, &elf->weak, &elf->undefined, &elf->needed};
    for (size_t i = 0; i < LH_COUNT(all); i++)
        for (uint32_t k = 0; k < all[i]->count; k++) free(all[i]->names[k]);
    *elf = (lh_elf){.dynamic = false};
}
