/* vocabulary: words by number, and numbers by word in a hash table with linear probing. */
#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1024 }; /* a power of two, as all later sizes */

/* The slot where a word is, or would go. */
static int slot_of(const cr_vocabulary *v, const char *word, int length)
{
    int mask = v->slot_count - 1;
    int slot = (int)(cr_hash(word, (size_t)length, 0) & (uint64_t)mask);
    while (v->slots[slot] != 0) {
        const cr_vocabulary_word *there = &v->words[v->slots[slot] - 1];
        if (there->length == length && memcmp(there->letters, word, (size_t)length) == 0)
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

/* Enter all words anew. */
static void fill_slots(cr_vocabulary *v)
{
    memset(v->slots, 0, (size_t)v->slot_count * sizeof *v->slots);
    for (int i = 0; i < v->count; i++)
        v->slots[slot_of(v, v->words[i].letters, v->words[i].length)] = i + 1;
}

/* At least half of the slots stay free. */
static cr_status make_slots(cr_vocabulary *v)
{
    int *slots = NULL;
    if (2 * (v->count + 1) <= v->slot_count)
        return CR_OK;
    int larger = v->slot_count > 0 ? 2 * v->slot_count : SLOTS_FIRST;
    CR_TRY(cr_alloc((void **)&slots, (size_t)larger * sizeof *slots));
    CR_FREE(v->slots);
    v->slots = slots;
    v->slot_count = larger;
    fill_slots(v);
    return CR_OK;
}

static cr_status append(cr_vocabulary *v, const char *word, int length)
{
    CR_TRY(cr_reserve((void **)&v->words, v->count, sizeof *v->words));
    cr_vocabulary_word *added = &v->words[v->count];
    *added = (cr_vocabulary_word){.length = length};
    CR_TRY(cr_alloc((void **)&added->letters, (size_t)length));
    memcpy(added->letters, word, (size_t)length);
    v->count++;
    return CR_OK;
}

cr_status cr_vocabulary_add(cr_vocabulary *vocabulary, const char *word, int length)
{
    CR_TRY(make_slots(vocabulary));
    int slot = slot_of(vocabulary, word, length);
    if (vocabulary->slots[slot] == 0) {
        CR_TRY(append(vocabulary, word, length));
        vocabulary->slots[slot] = vocabulary->count;
    }
    vocabulary->words[vocabulary->slots[slot] - 1].count++;
    return CR_OK;
}

static int compare(const void *a, const void *b)
{
    const cr_vocabulary_word *x = a;
    const cr_vocabulary_word *y = b;
    int shorter = x->length < y->length ? x->length : y->length;
    int letters = memcmp(x->letters, y->letters, (size_t)shorter);
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return letters != 0 ? letters : x->length - y->length;
}

void cr_vocabulary_sort(cr_vocabulary *vocabulary)
{
    if (vocabulary->count == 0)
        return;
    qsort(vocabulary->words, (size_t)vocabulary->count, sizeof *vocabulary->words, compare);
    fill_slots(vocabulary);
}

int cr_vocabulary_find(const cr_vocabulary *vocabulary, const char *word, int length)
{
    if (vocabulary->count == 0)
        return -1;
    return vocabulary->slots[slot_of(vocabulary, word, length)] - 1;
}

void cr_vocabulary_free(cr_vocabulary *vocabulary)
{
    for (int i = 0; i < vocabulary->count; i++)
        CR_FREE(vocabulary->words[i].letters);
    CR_FREE(vocabulary->words);
    CR_FREE(vocabulary->slots);
    vocabulary->count = vocabulary->slot_count = 0;
}
