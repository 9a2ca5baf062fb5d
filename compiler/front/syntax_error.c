/* syntax_error.c: words what the grammar could not go on with.
 *
 * In     the token found, the tokens that would have been right, and what the scanner knows: open
 *        brackets, the token before.
 * Out    one message; the parser then drops tokens up to the end of the statement (p->recovering).
 * The frequent slips come first, each with its help; what is left says "expected this, found that".
 */
#include "compiler/front/parser.h"
#include "compiler/front/syntax_error.h"

#include <string.h>

typedef struct request {
    dg_parser *p;
    dg_span where;
    const char *found;
    const char *const *expected;
    int n;
} request;

static bool is_in(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0) return true;
    return false;
}

static bool expects(const request *r, const char *token)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->expected[i], token) == 0) return true;
    return false;
}

static const char *const comparisons[] = {"==", "!=", "'<'", "<=", "'>'", ">=", "..", NULL};
/* clang-format off */
static const char *const keywords[] = {"import", "config", "const", "block", "model", "entry",
"train", "test",
                                       "param", "state", "return", "for", "in", "loop", "if",
                                       "then", "else", "fn",
                                       "and", "or", "not", "assert", "remat", "true", "false",
                                       "none", "dtype", NULL};
/* clang-format on */
/* What may begin an expression; what may follow one and carry it on. */
/* clang-format off */
static const char *const openers[] = {"name", "text", "text {", "integer", "number", "dtype",
"'('", "'['", "'-'",
                                      "not", "remat", "if", "fn", "true", "false", "none", NULL};
/* clang-format on */
/* clang-format off */
static const char *const carriers[] = {"'+'", "'-'", "'*'", "'/'", "'%'", "**", "//", "==", "!=",
"'<'", "<=", "'>'",
                                       ">=", "..", "and", "or", "'('", "'['", "'@'", NULL};
/* clang-format on */

/* A token's name as it stands in a sentence. */
static void add_token(dg_text *t, const char *token)
{
    if (strcmp(token, "end of line") == 0) dg_text_add(t, "the end of the line");
    else if (strcmp(token, "name") == 0) dg_text_add(t, "a name");
    else if (strcmp(token, "text") == 0 || strcmp(token, "text {") == 0) dg_text_add(t, "text");
    else if (strcmp(token, "} text") == 0 || strcmp(token, "} text {") == 0) dg_text_add(t, "'}'");
    else if (strcmp(token, "dtype") == 0) dg_text_add(t, "a dtype");
    else if (token[0] == '\'') dg_text_add(t, "%s", token);
    else dg_text_add(t, "'%s'", token);
}

static void add_found(dg_text *t, const request *r)
{
    const char *text = r->p->source->text + r->where.begin;
    if (strcmp(r->found, "end of file") == 0 || r->where.begin >= r->p->source->length) {
        dg_text_add(t, "the end of the file");
    } else if (strcmp(r->found, "end of line") == 0) {
        dg_text_add(t, *text == '}' ? "'}'" : *text == ';' ? "';'" : "the end of the line");
    } else if (*text == '}') {
        dg_text_add(t, "'}'"); /* of an expression in a string */
    } else {
        dg_text_add(t, strcmp(r->found, "name") == 0 ? "name '" : "'");
        dg_text_escape(t, text, r->where.end - r->where.begin, 40);
        dg_text_add(t, "'");
    }
}

static void add_expected(dg_text *t, const request *r)
{
    if (expects(r, "import")) {
        dg_text_add(t, "a declaration");
        return;
    }
    if (expects(r, "return")) {
        dg_text_add(t, "a statement");
        return;
    }
    bool value = expects(r, "integer"), type = !value && expects(r, "dtype"),
         after_value = expects(r, "'+'");
    const char *list[8];
    int n = 0;
    if (value) list[n++] = "an expression";
    if (type) list[n++] = "a type";
    bool brace = false, line = false;
    for (int i = 0; i < r->n && n < 6; i++) {
        const char *token = r->expected[i];
        if (value && is_in(token, openers)) continue;
        if (type && is_in(token, (const char *const[]){"name", "dtype", "fn", "'['", "'('", NULL}))
            continue;
        if (after_value && is_in(token, carriers)) continue;
        if (strcmp(token, "text {") == 0) continue; /* looks like "text" */
        if (strncmp(token, "} text", 6) == 0) {
            if (brace) continue;
            brace = true;
        }
        if (strcmp(token, "end of line") == 0) line = true; /* comes last */
        else list[n++] = token;
    }
    if (line) list[n++] = "end of line";
    if (n == 0) list[n++] = "an operator";
    for (int i = 0; i < n; i++) {
        if (i > 0) dg_text_add(t, i == n - 1 ? " or " : ", ");
        if (strchr(list[i], ' ') && list[i][0] == 'a') dg_text_add(t, "%s", list[i]);
        else add_token(t, list[i]);
    }
}

static bool reads(const dg_parser *p, dg_span span, const char *word)
{
    size_t n = strlen(word);
    return span.end - span.begin == n && strncmp(p->source->text + span.begin, word, n) == 0;
}

/* Words of other languages at the start of a statement. */
static const char *foreign_word(const dg_parser *p, dg_span span)
{
    static const char *const table[][2] = {
        {"let", "a name is bound by 'name = ...' alone"},
        {"var", "a name is bound by 'name = ...' alone"},
        {"def", "a function with a body is written: block f(x) { return ... }"},
        {"func", "a function with a body is written: block f(x) { return ... }"},
        {"function", "a function with a body is written: block f(x) { return ... }"},
        {"class", "there are no classes; a block with param or state, called through a model, "
                  "keeps weights"},
        {"while", "loops have a bound: loop i in 0..n { ... stop(condition) }"},
        {"elif", "write } else if c {"},
        {"from", "write import \"file.dg\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (reads(p, span, table[i][0])) return table[i][1];
    return NULL;
}

static bool ends_value(int token)
{
    return token == NAME || token == INT || token == FLOAT || token == STRING ||
           token == TEXT_TAIL || token == ')' || token == ']' || token == TRUE || token == FALSE ||
           token == NONE;
}

static dg_message *slip(const request *r)
{
    dg_parser *p = r->p;
    const char *found = r->found;
    int n = (int)(r->where.end - r->where.begin);
    const char *text = p->source->text + r->where.begin;

    if (is_in(found, comparisons) && ends_value(p->before_last) && expects(r, "'+'")) {
        dg_message *m =
            dg_parse_error(p, "E003", r->where, "'%.*s' after another one: %s do not chain", n,
                           text, strcmp(found, "..") == 0 ? "ranges" : "comparisons");
        if (strcmp(found, "..") != 0) dg_help_add(p->diag, m, "write a < b and b < c");
        return m;
    }
    if (strcmp(found, "'='") == 0 && expects(r, "==") && !expects(r, "end of line")) {
        dg_message *m =
            dg_parse_error(p, "E003", r->where, "'=' binds a name and is no part of an expression");
        dg_help_add(p->diag, m, "'==' compares");
        return m;
    }
    if (strcmp(found, "'='") == 0 && p->before_last == ':') {
        dg_message *m = dg_parse_error(p, "E003", r->where, "expected a type after ':', found '='");
        dg_help_add(p->diag, m, "a parameter or state is written by ':=', without a blank in it");
        return m;
    }
    if (strcmp(found, "'='") == 0 && expects(r, "'@'") && !expects(r, "'+'")) {
        dg_message *m = dg_parse_error(p, "E003", r->where, "expected ':' and a type, found '='");
        dg_help_add(p->diag, m, "write param w : f32[n] = 0, with the sizes that are wanted");
        return m;
    }
    if (strcmp(found, ":=") == 0 && expects(r, "'='")) {
        dg_message *m = dg_parse_error(p, "E003", r->where, "expected '=', found ':='");
        dg_help_add(p->diag, m,
                    "':=' writes a parameter or state that exists; a declaration has '='");
        return m;
    }
    if (strcmp(found, "'_'") == 0) {
        dg_message *m = dg_parse_error(p, "E003", r->where, "'_' is not a name");
        dg_help_add(p->diag, m, "it stands for a new axis in x[...] and for any size in a type");
        return m;
    }
    const char *next = text + n;
    next += strspn(next, " \t");
    bool bound = strchr("=,):", *next) && *next && next[1] != '='; /* in = 3 */
    if (is_in(found, keywords) &&
        (bound || (expects(r, "name") && !expects(r, "import") && !expects(r, "return") &&
                   !is_in(found, (const char *const[]){"else", "then", "in", NULL}))))
        return dg_parse_error(p, "E003", r->where, "'%.*s' is a keyword and cannot be a name", n,
                              text);
    if (strcmp(found, "'='") == 0 && expects(r, "name") && !expects(r, "integer"))
        return dg_parse_error(p, "E003", p->before_span, "'%.*s' is a keyword and cannot be a name",
                              (int)(p->before_span.end - p->before_span.begin),
                              p->source->text + p->before_span.begin);
    if (strcmp(found, "else") == 0 && (expects(r, "return") || expects(r, "import"))) {
        return dg_parse_error(p, "E003", r->where, "'else' without an 'if' before it");
    }
    return NULL;
}

void dg_syntax_error(dg_parser *p, dg_span where, const char *found, const char *const *expected,
                     int n)
{
    p->recovering = true;
    if (strcmp(found, "'{'") == 0) p->skip_body = true;
    if (p->quiet || p->stop) {
        p->quiet = false;
        return;
    }
    request r = {p, where, found, expected, n};
    bool open = p->brackets.n > 0 && dg_vec_last(&p->brackets).kind <= DG_OPEN_SQUARE;
    uint32_t length;
    const char *line = dg_source_line(p->source, where.begin, &length);
    bool first_on_line = line + strspn(line, " \t") == p->source->text + where.begin;
    dg_message *m = slip(&r);
    if (!m) {
        dg_text want = {0}, got = {0};
        add_expected(&want, &r);
        add_found(&got, &r);
        m = dg_parse_error(p, open && first_on_line ? "E005" : "E003", where,
                           "expected %s, found %s", want.at, got.at);
        dg_text_free(&want);
        dg_text_free(&got);
        const char *help = foreign_word(p, p->before_span);
        if (!help) help = foreign_word(p, where);
        if (help) dg_help_add(p->diag, m, "%s", help);
        else if (expects(&r, "import"))
            dg_help_add(
                p->diag, m,
                "a file holds import, config, const, block, model, entry, train, test and assert; "
                "statements stand inside a block or entry");
    }
    if (open)
        dg_parse_note_at(p, m, dg_vec_last(&p->brackets).kind == DG_OPEN_ROUND ? "'('" : "'['",
                         dg_vec_last(&p->brackets).span);
}
