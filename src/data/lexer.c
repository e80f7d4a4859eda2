/*
 * lexer: a text in words, as the Penn Treebank of T. Mikolov and the tutorial of TensorFlow have
 * it: white space separates, an end of line counts as the word <eos>. Bytes above 127 are taken as
 * they are, whatever they mean.
 */
#include "lexer.h"

#include <string.h>

cr_status cr_lexer_open(cr_lexer *lexer, const char *path)
{
    lexer->line = 1;
    lexer->length = 0;
    lexer->ended = false;
    lexer->at = lexer->end = 0;
    return cr_reader_open(&lexer->reader, path);
}

void cr_lexer_close(cr_lexer *lexer)
{
    cr_reader_close(&lexer->reader);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next byte, without moving past it; *more is false at the end of the file. */
static cr_status look(cr_lexer *lexer, char *c, bool *more)
{
    if (lexer->at == lexer->end) {
        lexer->at = 0;
        CR_TRY(cr_reader_take_some(&lexer->reader, lexer->piece, &lexer->end, CR_LEXER_PIECE));
        if (lexer->end == 0)
            CR_TRY(cr_reader_end(&lexer->reader)); /* was the file whole? */
    }
    *more = lexer->end > 0;
    *c = *more ? lexer->piece[lexer->at] : '\n';
    return CR_OK;
}

/* Move past blanks, to a byte that is none or to an end of line. */
static cr_status skip_blanks(cr_lexer *lexer, char *c, bool *more)
{
    CR_TRY(look(lexer, c, more));
    while (*more && is_space(*c) && *c != '\n') {
        lexer->at++;
        CR_TRY(look(lexer, c, more));
    }
    return CR_OK;
}

static cr_status take_letters(cr_lexer *lexer, char c)
{
    bool more = true;
    while (more && !is_space(c)) {
        CR_CHECK(lexer->length < CR_LEXER_LONGEST, CR_BAD_DATA,
                 "%s:%lld: expected words of at most %d bytes, found a longer one",
                 lexer->reader.path, (long long)lexer->line, CR_LEXER_LONGEST);
        lexer->word[lexer->length++] = c;
        lexer->at++;
        CR_TRY(look(lexer, &c, &more));
    }
    return CR_OK;
}

cr_status cr_lexer_next(cr_lexer *lexer, bool *found)
{
    char c = 0;
    lexer->line += lexer->ended;
    lexer->ended = false;
    lexer->length = 0;
    CR_TRY(skip_blanks(lexer, &c, found));
    if (!*found)
        return CR_OK;
    if (c != '\n')
        return take_letters(lexer, c);
    lexer->at++;
    lexer->ended = true;
    lexer->length = (int)strlen(CR_LEXER_END);
    memcpy(lexer->word, CR_LEXER_END, strlen(CR_LEXER_END));
    return CR_OK;
}
