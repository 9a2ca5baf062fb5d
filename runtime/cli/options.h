/* options.h: what the command line said, checked against cli.def. */
#ifndef DG_CLI_OPTIONS_H
#define DG_CLI_OPTIONS_H

#include "compiler/base/str.h"

#include <dg/dg.h>

typedef enum cli_kind { FLAG, TEXT, INT, INT1, BYTES, CHOICE, OPTIONAL_CHOICE, LIST } cli_kind;

typedef enum cli_option {
#define OPTION(id, name, letter, kind, value, verbs, help) OPT_##id,
#include "runtime/cli/cli.def"
    OPT_COUNT
} cli_option;

struct cli;
typedef enum cli_output { DOCUMENT, EVENTS } cli_output;

typedef struct cli_verb {
    const char *name, *arguments, *summary, *details;
    int (*run)(struct cli *c);
    cli_output output;
} cli_verb;

typedef struct cli_spec {
    const char *name;
    char letter;
    cli_kind kind;
    const char *value, *verbs, *help; /* verbs NULL: all */
} cli_spec;

typedef struct cli_list {
    const char **at; /* NULL-ended */
    int n;
} cli_list;

typedef struct cli {
    dg_arena *arena;
    const cli_verb *verb;
    int count[OPT_COUNT];
    const char *text[OPT_COUNT]; /* last (only) value */
    int64_t number[OPT_COUNT];   /* INT, INT1, BYTES */
    cli_list list[OPT_COUNT];
    cli_list arguments;  /* behind the verb, options taken out */
    dg_context *context; /* made by cli_open */
    const char *command_line;
} cli;

const cli_spec *cli_spec_of(cli_option o);
const cli_verb *cli_verb_at(int i); /* NULL after the last */
const cli_verb *cli_verb_find(const char *name);
bool cli_takes(const cli_verb *v, cli_option o);

/* False after an error on standard error (E21x). `version` is set when --version was asked for. */
bool cli_parse(cli *c, int argc, char **argv, bool *version);
/* NAME=VALUE texts (positional ones from `first` on, or a LIST option's) as dg.h wants them; false
 * after an error. */
bool cli_pairs(cli *c, const char *place, const char *const *texts, int n, dg_arg_text **out);
/* Wants between `least` and `most` arguments (most < 0: any number); false after an error. */
bool cli_arity(cli *c, int least, int most);

void cli_help_text(const cli_verb *v, dg_text *out); /* NULL: the overview */
void cli_help_json(dg_text *out);

#endif
