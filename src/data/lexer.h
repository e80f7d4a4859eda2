/* lexer: the words of a text file one after another, inside data only. */
#ifndef CR_DATA_LEXER_H
#define CR_DATA_LEXER_H

#include "reader.h"

#define CR_LEXER_END "<eos>"   /* the word that an end of line is */
#define CR_LEXER_OTHER "<unk>" /* the word that stands for those outside of the vocabulary */

enum { CR_LEXER_LONGEST = 1024, CR_LEXER_PIECE = 1 << 16 }; /* B: a word, what is read at once */

typedef struct cr_lexer {
    cr_reader reader;
    int64_t line;                /* that `word` stands in, from 1 */
    int length;                  /* B of ... */
    char word[CR_LEXER_LONGEST]; /* ... the word found last: any bytes but white space, no 0 */
    bool ended;                  /* it stands at the end of its line, which is the next word */
    size_t at, end;              /* what is left of ... */
    char piece[CR_LEXER_PIECE];  /* ... the piece read last */
} cr_lexer;

/* Open `path`, or `path`.gz where only that exists. CR_BAD_DATA naming the file. The caller closes,
 * after a failure too. */
cr_status cr_lexer_open(cr_lexer *lexer, const char *path);
void cr_lexer_close(cr_lexer *lexer);

/* The next word; *found is false at the end of the file. A word is what stands between white space
 * of ASCII; an end of line is a word of its own. CR_BAD_DATA for a longer word, or a file that is
 * not sound. */
cr_status cr_lexer_next(cr_lexer *lexer, bool *found);

#endif
