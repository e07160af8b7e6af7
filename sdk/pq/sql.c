/* A summary needs words, and where a statement's names stand; it is no parser. Strings, numbers and
 * comments are passed over. FROM names tables only after a SELECT or DELETE of the same depth of
 * parentheses: EXTRACT(YEAR FROM t) has none. */
#include "sql.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 32 };

enum token { END, WORD, OPEN, CLOSE, COMMA, SEMICOLON, OTHER };

struct reader {
    const char *at;
    enum token token, before; /* before: that in front of word */
    const char *word;
    size_t size;
    char last[16]; /* the word before, in upper case, where it is short */
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '.' ||
           (unsigned char)c >= 0x80;
}

static const char *skip_quoted(const char *at, char quote)
{
    for (at++; *at; at++)
        if (*at == quote && at[1] != quote)
            return at + 1;
        else if (*at == quote)
            at++;
    return at;
}

static const char *skip_space(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f\v");
        if (at[0] == '-' && at[1] == '-') {
            at += strcspn(at, "\n");
        } else if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            at = end ? end + 2 : at + strlen(at);
        } else {
            return at;
        }
    }
}

/* $tag$ … $tag$; the same place where none begins here. */
static const char *skip_dollars(const char *at)
{
    char tag[64];
    size_t size = strcspn(at + 1, "$") + 2;
    if (size > sizeof tag - 1 || strlen(at) < size ||
        strcspn(at + 1, " \t\r\n'\"();,") < size - 2 || isdigit((unsigned char)at[1]))
        return at;
    memcpy(tag, at, size);
    tag[size] = 0;
    const char *end = strstr(at + size, tag);
    return end ? end + size : at + strlen(at);
}

static const char *skip_word(const char *at)
{
    while (is_word(*at) || *at == '"')
        at = *at == '"' ? skip_quoted(at, '"') : at + 1;
    return at;
}

static void next(struct reader *reader)
{
    if (reader->token == WORD && reader->size < sizeof reader->last) {
        for (size_t i = 0; i < reader->size; i++)
            reader->last[i] = (char)toupper((unsigned char)reader->word[i]);
        reader->last[reader->size] = 0;
    } else {
        reader->last[0] = 0;
    }
    reader->before = reader->token;
    const char *at = skip_space(reader->at), *dollars = *at == '$' ? skip_dollars(at) : at;
    reader->word = at;
    reader->token = OTHER;
    if (!*at) {
        reader->token = END;
    } else if (dollars != at) {
        at = dollars;
    } else if (*at == '\'') {
        at = skip_quoted(at, '\'');
    } else if (is_word(*at) || *at == '"') {
        reader->token = isdigit((unsigned char)*at) || *at == '$' || *at == '.' ? OTHER : WORD;
        at = skip_word(at);
    } else {
        reader->token = *at == '('   ? OPEN
                        : *at == ')' ? CLOSE
                        : *at == ',' ? COMMA
                        : *at == ';' ? SEMICOLON
                                     : OTHER;
        at++;
    }
    reader->size = (size_t)(at - reader->word);
    reader->at = at;
}

static bool is(const struct reader *reader, const char *word)
{
    return reader->token == WORD && strlen(word) == reader->size &&
           strncasecmp(reader->word, word, reader->size) == 0;
}

static bool is_one_of(const struct reader *reader, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is(reader, words[i]))
            return true;
    return false;
}

#define IS_ONE_OF(reader, words) is_one_of(reader, words, sizeof(words) / sizeof *(words))

struct summary {
    char *text;
    size_t size;
    bool is_full;
};

static void put(struct summary *summary, const struct reader *reader)
{
    size_t space = summary->size > 0;
    if (summary->is_full || summary->size + space + reader->size >= FG_SQL_SUMMARY_MAX) {
        summary->is_full = true;
        return;
    }
    if (space)
        summary->text[summary->size++] = ' ';
    memcpy(summary->text + summary->size, reader->word, reader->size);
    summary->size += reader->size;
    summary->text[summary->size] = 0;
}

/* Where a statement may begin: not the UPDATE of FOR UPDATE, or of ON CONFLICT DO UPDATE. */
static bool is_at_start(const struct reader *reader)
{
    static const char *const after_with[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
    if (reader->before == CLOSE)
        return IS_ONE_OF(reader, after_with);
    if (strcmp(reader->last, "EXPLAIN") == 0)
        return !is(reader, "ANALYZE");
    return reader->before == END || reader->before == SEMICOLON || reader->before == OPEN ||
           strcmp(reader->last, "ANALYZE") == 0 || strcmp(reader->last, "AS") == 0;
}

/* The name that follows: past the words that may stand before it. */
static void put_name(struct summary *summary, struct reader *reader)
{
    static const char *const fillers[] = {"ONLY",  "IF",           "NOT",    "EXISTS",
                                          "TABLE", "CONCURRENTLY", "LATERAL"};
    next(reader);
    while (IS_ONE_OF(reader, fillers))
        next(reader);
    if (reader->token == WORD && !is(reader, "SELECT"))
        put(summary, reader);
}

/* FROM a, b AS x, ONLY c: each name after a comma, up to a word that ends the list. */
static void put_from_list(struct summary *summary, struct reader *reader)
{
    static const char *const ends[] = {"WHERE", "GROUP",  "ORDER",  "LIMIT", "JOIN",  "INNER",
                                       "LEFT",  "RIGHT",  "FULL",   "CROSS", "SET",   "USING",
                                       "UNION", "HAVING", "OFFSET", "FOR",   "FETCH", "RETURNING"};
    put_name(summary, reader);
    while (reader->token == WORD) {
        struct reader ahead = *reader;
        next(&ahead);
        while (ahead.token == WORD && !IS_ONE_OF(&ahead, ends))
            next(&ahead);
        if (ahead.token != COMMA)
            return;
        *reader = ahead;
        put_name(summary, reader);
    }
}

static void put_statement(struct summary *summary, struct reader *reader, bool *has_from)
{
    static const char *const plain[] = {
        "BEGIN",   "START",   "COMMIT",  "END",     "ROLLBACK",  "ABORT",  "SAVEPOINT",
        "RELEASE", "SET",     "SHOW",    "RESET",   "VACUUM",    "NOTIFY", "LISTEN",
        "DO",      "DISCARD", "PREPARE", "EXPLAIN", "FETCH",     "CLOSE",  "DECLARE",
        "GRANT",   "REVOKE",  "VALUES",  "REINDEX", "CHECKPOINT"};
    static const char *const named[] = {"UPDATE", "TRUNCATE", "COPY",   "LOCK",
                                        "CALL",   "EXECUTE",  "ANALYZE"};
    static const char *const two_words[] = {"CREATE", "ALTER", "DROP"};
    static const char *const between[] = {"OR",     "REPLACE",  "TEMP",        "TEMPORARY",
                                          "UNIQUE", "UNLOGGED", "MATERIALIZED"};
    static const char *const into[] = {"INSERT", "MERGE"};
    if (IS_ONE_OF(reader, plain)) {
        put(summary, reader);
    } else if (IS_ONE_OF(reader, named)) {
        put(summary, reader);
        put_name(summary, reader);
    } else if (IS_ONE_OF(reader, into)) {
        put(summary, reader);
        next(reader); /* INTO */
        put_name(summary, reader);
    } else if (IS_ONE_OF(reader, two_words)) {
        put(summary, reader);
        next(reader);
        while (IS_ONE_OF(reader, between))
            next(reader);
        put(summary, reader);
        put_name(summary, reader);
    } else if (is(reader, "DELETE")) {
        put(summary, reader);
        *has_from = false;
    }
}

void fg_sql_summary(const char *sql, char ret_text[FG_SQL_SUMMARY_MAX])
{
    struct summary summary = {.text = ret_text};
    struct reader reader = {.at = sql ? sql : ""};
    /* Of each depth: whether the FROM of its SELECT has been seen, or there is none to come. */
    bool has_from[DEPTH_MAX];
    memset(has_from, true, sizeof has_from);
    unsigned depth = 0;
    ret_text[0] = 0;
    for (next(&reader); reader.token != END && !summary.is_full; next(&reader)) {
        bool *from = &has_from[depth < DEPTH_MAX ? depth : DEPTH_MAX - 1];
        if (reader.token == OPEN) {
            depth++;
            has_from[depth < DEPTH_MAX ? depth : DEPTH_MAX - 1] = true;
        } else if (reader.token == CLOSE) {
            depth -= depth > 0;
        } else if (is(&reader, "SELECT")) {
            put(&summary, &reader);
            *from = false;
        } else if (is(&reader, "FROM") && !*from && strcmp(reader.last, "DISTINCT") != 0) {
            *from = true;
            put_from_list(&summary, &reader);
            depth += reader.token == OPEN;
        } else if (is(&reader, "JOIN")) {
            put_name(&summary, &reader);
            depth += reader.token == OPEN;
        } else if (reader.token == WORD && is_at_start(&reader)) {
            put_statement(&summary, &reader, from);
        }
    }
}

/* -- libpq's messages
 * ------------------------------------------------------------------------------- */

/* Whether ":  XXXXX: " is at this place. */
static bool has_state(const char *at)
{
    if (strncmp(at, ":  ", 3) != 0)
        return false;
    for (size_t i = 3; i < 8; i++)
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'A' && at[i] <= 'Z')))
            return false;
    return at[8] == ':' && at[9] == ' ';
}

bool fg_sql_state_of(const char *message, char ret_state[6])
{
    bool is_found = false;
    for (const char *at = message ? strchr(message, ':') : NULL; at; at = strchr(at + 1, ':'))
        if (has_state(at)) {
            memcpy(ret_state, at + 3, 5);
            ret_state[5] = 0;
            is_found = true;
        }
    return is_found;
}

/* "LOCATION:  auth_failed, auth.c:326", in any language. */
static bool names_source(const char *line, size_t size)
{
    size_t end = size;
    while (end > 0 && isdigit((unsigned char)line[end - 1]))
        end--;
    return end < size && end > 3 && memcmp(line + end - 3, ".c:", 3) == 0 &&
           memmem(line, size, ":  ", 3);
}

char *fg_sql_plain_message(const char *message)
{
    char *plain = malloc(strlen(message) + 1), *to = plain;
    for (const char *line = message; plain && *line;) {
        size_t size = strcspn(line, "\n");
        const char *end = line + size + (line[size] == '\n');
        if (names_source(line, size)) {
            line = end;
            continue;
        }
        while (line < end) {
            bool is_state = has_state(line);
            *to++ = *line;
            if (is_state) {
                *to++ = ' ';
                *to++ = ' ';
            }
            line += is_state ? 10 : 1;
        }
    }
    if (plain)
        *to = 0;
    return plain;
}
