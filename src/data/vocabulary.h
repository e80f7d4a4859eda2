/* vocabulary: the words of a text and their numbers, inside data only. */
#ifndef CR_DATA_VOCABULARY_H
#define CR_DATA_VOCABULARY_H

#include "colrow/base.h"

enum { CR_VOCABULARY_MOST = 1 << 24 }; /* words: their numbers are exact as floats */

typedef struct cr_vocabulary_word {
    char *letters; /* [length], owned */
    int length;    /* B */
    int64_t count; /* how often it was added */
} cr_vocabulary_word;

/* Begins as zeros. */
typedef struct cr_vocabulary {
    cr_vocabulary_word *words; /* [count] by number; owned */
    int count;
    int *slots; /* [slot_count] hash table: number + 1 of the word there, 0: none; owned */
    int slot_count;
} cr_vocabulary;

/* Count a word once more; a new one gets the next number. */
cr_status cr_vocabulary_add(cr_vocabulary *vocabulary, const char *word, int length);

/* Number the words anew, by how often they were added, the most frequent first; those of equal
 * counts alphabetically, that is by their bytes. */
void cr_vocabulary_sort(cr_vocabulary *vocabulary);

/* The number of a word; -1 when it is not there. */
int cr_vocabulary_find(const cr_vocabulary *vocabulary, const char *word, int length);

void cr_vocabulary_free(cr_vocabulary *vocabulary);

#endif
