/* parser.y: tokens of one file into its tree.
 *
 * In     tokens of lexer.l: newlines are tokens only where they end a statement, and one stands
 *        before each `}`.
 * Out    declarations, appended to p->decls. Nodes are made in ast.c, which also checks what the
 *        grammar lets pass: a left side is parsed as an expression and looked at afterwards.
 * Keeps  no conflicts (%expect 0), no globals. An error drops tokens up to the end of the
 *        statement. Lists are left-recursive, so the stack grows with nesting only. */
%code requires {
#include "compiler/front/parse.h"
}
%code {
#include "compiler/front/syntax_error.h"

static void dg_yyerror(dg_span *where, dg_parser *p, const char *message);
static dg_items none(void);
static dg_items one(dg_parser *p, void *item, int depth);

#define YYLLOC_DEFAULT(Current, Rhs, N)                                                            \
    do {                                                                                           \
        if (N) {                                                                                   \
            (Current).file = YYRHSLOC(Rhs, 1).file;                                                \
            (Current).begin = YYRHSLOC(Rhs, 1).begin;                                              \
            (Current).end = YYRHSLOC(Rhs, N).end;                                                  \
        } else {                                                                                   \
            (Current).file = YYRHSLOC(Rhs, 0).file;                                                \
            (Current).begin = (Current).end = YYRHSLOC(Rhs, 0).end;                                \
        }                                                                                          \
    } while (0)
}
%code provides {
int dg_yylex(DG_YYSTYPE *value, dg_span *where, dg_parser *p);
}
%define api.pure full
%define api.prefix {dg_yy}
%define api.location.type {dg_span}
%define parse.error custom
%define parse.lac full
%locations
%param {dg_parser *p}
%initial-action { @$ = (dg_span){p->file, 0, 0}; }
%expect 0

%union {
    dg_str text;
    dg_dtype dtype;
    dg_expr *expr;
    dg_stmt *stmt;
    dg_decl *decl;
    dg_texpr *type;
    dg_block_ast *body;
    dg_arg *arg;
    dg_index *item;
    dg_formal *formal;
    dg_dim *dim;
    dg_items items;
    dg_signature *signature;
    dg_target *target;
    struct { dg_block_ast *body; bool else_if; } otherwise;
}

%token IMPORT "import" CONFIG "config" CONST "const" BLOCK "block" MODEL "model" ENTRY "entry" TRAIN "train" TEST "test"
%token PARAM "param" STATE "state" RETURN "return" FOR "for" IN "in" LOOP "loop" IF "if" THEN "then" ELSE "else" FN "fn"
%token AND "and" OR "or" NOT "not" ASSERT "assert" REMAT "remat" TRUE "true" FALSE "false" NONE "none"
%token ARROW "->" DARROW "=>" UPDATE ":=" DOTDOT ".." ELLIPSIS "..." EQ "==" NE "!=" LE "<=" GE ">=" IDIV "//" POW "**"
%token NL "end of line"
/* Never reach a rule: a `;` becomes NL, BAD stands for what the scanner has reported. */
%token SEMICOLON ";" BAD "unreadable token"
%token <dtype> DTYPE "dtype"
%token <text> NAME "name" STRING "text" TEXT_HEAD "text {" TEXT_MIDDLE "} text {" TEXT_TAIL "} text"
%token <expr> INT "integer" FLOAT "number"

%type <decl> decl
%type <stmt> stmt assertion
%type <otherwise> otherwise
%type <body> body
%type <expr> expr string label olabel filter oexpr odefault
%type <type> type otype result
%type <items> oformals formals types odims dims stmts names exprs oargs args items parts
%type <arg> arg
%type <item> item
%type <formal> formal
%type <dim> dim
%type <signature> signature
%type <target> target

%precedence LOWEST
%left OR
%left AND
%precedence NOT
%nonassoc EQ NE '<' LE '>' GE
%nonassoc DOTDOT
%left '+' '-'
%left '*' '/' IDIV '%'
%precedence UNARY
%right POW
/* In the order in which messages list them. */
%token '=' '(' ')' ',' ':' '[' ']' '_' '{' '}' '@'
%precedence '(' '[' '@'
%%
file
    : %empty
    | file decl NL                  { dg_items_add(p, &p->decls, $2, 0); }
    | file error NL                 { p->recovering = p->quiet = false; yyerrok; }
    ;
decl
    : IMPORT string                 { $$ = dg_ast_decl(p, DG_C_IMPORT, @$, dg_ast_plain_text(p, $2, "an import's path"), @2); }
    | CONFIG NAME otype '=' expr    { $$ = dg_ast_decl(p, DG_C_CONFIG, @$, $2, @2); $$->type = $3; $$->value = $5; }
    | CONST NAME otype '=' expr     { $$ = dg_ast_decl(p, DG_C_CONST, @$, $2, @2); $$->type = $3; $$->value = $5; }
    | MODEL NAME '=' expr           { $$ = dg_ast_decl(p, DG_C_MODEL, @$, $2, @2); $$->value = $4; }
    | BLOCK NAME signature body     { $$ = dg_ast_routine(p, DG_C_BLOCK, @$, $2, @2, $3, $4); }
    | ENTRY NAME signature body     { $$ = dg_ast_routine(p, DG_C_ENTRY, @$, $2, @2, $3, $4); }
    | TRAIN NAME signature body     { $$ = dg_ast_routine(p, DG_C_TRAIN, @$, $2, @2, $3, $4); }
    | TEST string body              { $$ = dg_ast_decl(p, DG_C_TEST, @$, dg_ast_plain_text(p, $2, "a test's title"), @2); $$->body = $3; }
    | assertion                     { $$ = dg_ast_decl(p, DG_C_ASSERT, @$, NULL, DG_NOWHERE); $$->value = $1->b; $$->message = $1->message; }
    ;
signature
    : '(' oformals ')' result       { $$ = dg_arena_copy(p->arena, &(dg_signature){$2, $4}, sizeof *$$); }
    ;
result
    : %empty                        { $$ = NULL; }
    | ARROW type                    { $$ = $2; }
    ;
oformals
    : %empty                        { $$ = none(); }
    | formals
    | formals ','
    ;
formals
    : formal                        { $$ = one(p, $1, 0); }
    | formals ',' formal            { $$ = $1; dg_items_add(p, &$$, $3, 0); }
    ;
formal
    : NAME otype odefault           { $$ = dg_ast_formal(p, @$, $1, $2, $3); }
    ;
otype
    : %empty                        { $$ = NULL; }
    | ':' type                      { $$ = $2; }
    ;
odefault
    : %empty                        { $$ = NULL; }
    | '=' expr                      { $$ = $2; }
    ;
type
    : DTYPE                         { dg_items dims = none(); $$ = dg_ast_tensor(p, @$, $1, false, &dims); }
    | DTYPE '[' odims ']'           { $$ = dg_ast_tensor(p, @$, $1, true, &$3); }
    | NAME                          { $$ = dg_ast_type(p, DG_Y_NAME, @$); $$->name = $1; }
    | FN                            { $$ = dg_ast_type(p, DG_Y_FN, @$); }
    | '[' type ']'                  { dg_items items = one(p, $2, $2->depth); $$ = dg_ast_type_items(p, DG_Y_LIST, @$, &items); }
    | '(' types ')'                 { $$ = dg_ast_type_items(p, DG_Y_TUPLE, @$, &$2); }
    ;
types
    : type                          { $$ = one(p, $1, $1->depth); }
    | types ',' type                { $$ = $1; dg_items_add(p, &$$, $3, $3->depth); }
    ;
odims
    : %empty                        { $$ = none(); }
    | dims
    ;
dims
    : dim                           { $$ = one(p, $1, $1->e ? $1->e->depth : 0); }
    | dims ',' dim                  { $$ = $1; dg_items_add(p, &$$, $3, $3->e ? $3->e->depth : 0); }
    ;
dim
    : expr                          { $$ = dg_ast_dim(p, DG_D_EXPR, @$, $1); }
    | '_'                           { $$ = dg_ast_dim(p, DG_D_ANY, @$, NULL); }
    | ELLIPSIS                      { $$ = dg_ast_dim(p, DG_D_REST, @$, NULL); }
    ;
body
    : '{' stmts '}'                 { $$ = dg_ast_body(p, @$, &$2); }
    ;
stmts
    : %empty                        { $$ = none(); }
    | stmts stmt NL                 { $$ = $1; dg_items_add(p, &$$, $2, $2->depth); }
    | stmts error NL                { $$ = $1; p->recovering = p->quiet = false; yyerrok; }
    ;
stmt
    : expr                          { $$ = dg_ast_call_stmt(p, @$, $1); }
    | expr '=' expr                 { $$ = dg_ast_assign(p, @$, $1, $3); }
    | expr ':' type '=' expr        { $$ = dg_ast_bind(p, @$, $1, $3, $5); }
    | expr UPDATE expr              { $$ = dg_ast_update(p, @$, $1, $3); }
    | PARAM NAME olabel ':' type '=' expr   { $$ = dg_ast_place(p, DG_S_PARAM, @$, $2, @2, $3, $5, $7); }
    | STATE NAME olabel otype '=' expr      { $$ = dg_ast_place(p, DG_S_STATE, @$, $2, @2, $3, $4, $6); }
    | MODEL NAME '=' expr           { $$ = dg_ast_place(p, DG_S_MODEL, @$, $2, @2, NULL, NULL, $4); }
    | RETURN expr                   { $$ = dg_ast_stmt(p, DG_S_RETURN, @$, NULL, $2); }
    | FOR target IN expr body       { $$ = dg_ast_repeat(p, DG_S_FOR, @$, $2, $4, $5); }
    | LOOP target IN expr body      { $$ = dg_ast_repeat(p, DG_S_LOOP, @$, $2, $4, $5); }
    | IF expr body otherwise        { $$ = dg_ast_if(p, @$, $2, $3, $4.body, $4.else_if); }
    | assertion
    ;
otherwise
    : %empty                        { $$.body = NULL; $$.else_if = false; }
    | ELSE body                     { $$.body = $2; $$.else_if = false; }
    | ELSE IF expr body otherwise   {
          dg_span from_if = {p->file, @2.begin, @$.end};
          $$.body = dg_ast_else_if(p, dg_ast_if(p, from_if, $3, $4, $5.body, $5.else_if));
          $$.else_if = true;
      }
    ;
assertion
    : ASSERT expr                   { $$ = dg_ast_assert(p, @$, $2, NULL); }
    | ASSERT expr ',' string        { $$ = dg_ast_assert(p, @$, $2, $4); }
    ;
olabel
    : %empty                        { $$ = NULL; }
    | '@' label                     { $$ = $2; }
    ;
label
    : NAME                          { $$ = dg_ast_name(p, @$, $1); }
    | string
    ;
target
    : NAME                          { dg_items names = one(p, (void *)$1, 0); $$ = dg_ast_target(p, @$, &names, false); }
    | '(' names ')'                 { $$ = dg_ast_target(p, @$, &$2, true); }
    ;
names
    : NAME                          { $$ = one(p, (void *)$1, 0); }
    | names ',' NAME                { $$ = $1; dg_items_add(p, &$$, (void *)$3, 0); }
    ;
expr
    : IF expr THEN expr ELSE expr %prec LOWEST  { $$ = dg_ast_expr(p, DG_E_IF, @$, $2, $4, $6); }
    | FN '(' oformals ')' DARROW expr %prec LOWEST  { $$ = dg_ast_fn(p, @$, &$3, $6); }
    | expr OR expr                  { $$ = dg_ast_binary(p, DG_B_OR, @$, @2, $1, $3); }
    | expr AND expr                 { $$ = dg_ast_binary(p, DG_B_AND, @$, @2, $1, $3); }
    | NOT expr                      { $$ = dg_ast_unary(p, DG_U_NOT, @$, @1, $2); }
    | expr EQ expr                  { $$ = dg_ast_binary(p, DG_B_EQ, @$, @2, $1, $3); }
    | expr NE expr                  { $$ = dg_ast_binary(p, DG_B_NE, @$, @2, $1, $3); }
    | expr '<' expr                 { $$ = dg_ast_binary(p, DG_B_LT, @$, @2, $1, $3); }
    | expr LE expr                  { $$ = dg_ast_binary(p, DG_B_LE, @$, @2, $1, $3); }
    | expr '>' expr                 { $$ = dg_ast_binary(p, DG_B_GT, @$, @2, $1, $3); }
    | expr GE expr                  { $$ = dg_ast_binary(p, DG_B_GE, @$, @2, $1, $3); }
    | expr DOTDOT expr              { $$ = dg_ast_binary(p, DG_B_RANGE, @$, @2, $1, $3); }
    | expr '+' expr                 { $$ = dg_ast_binary(p, DG_B_ADD, @$, @2, $1, $3); }
    | expr '-' expr                 { $$ = dg_ast_binary(p, DG_B_SUB, @$, @2, $1, $3); }
    | expr '*' expr                 { $$ = dg_ast_binary(p, DG_B_MUL, @$, @2, $1, $3); }
    | expr '/' expr                 { $$ = dg_ast_binary(p, DG_B_DIV, @$, @2, $1, $3); }
    | expr IDIV expr                { $$ = dg_ast_binary(p, DG_B_IDIV, @$, @2, $1, $3); }
    | expr '%' expr                 { $$ = dg_ast_binary(p, DG_B_MOD, @$, @2, $1, $3); }
    | '-' expr %prec UNARY          { $$ = dg_ast_unary(p, DG_U_NEG, @$, @1, $2); }
    | REMAT expr %prec UNARY        { $$ = dg_ast_unary(p, DG_U_REMAT, @$, @1, $2); }
    | expr POW expr                 { $$ = dg_ast_binary(p, DG_B_POW, @$, @2, $1, $3); }
    | NAME                          { $$ = dg_ast_name(p, @$, $1); }
    | INT
    | FLOAT
    | string
    | TRUE                          { $$ = dg_ast_expr(p, DG_E_TRUE, @$, NULL, NULL, NULL); }
    | FALSE                         { $$ = dg_ast_expr(p, DG_E_FALSE, @$, NULL, NULL, NULL); }
    | NONE                          { $$ = dg_ast_expr(p, DG_E_NONE, @$, NULL, NULL, NULL); }
    | DTYPE '(' expr ')'            { $$ = dg_ast_cast(p, @$, $1, $3); }
    | '(' expr ')'                  { $$ = $2; $$->parenthesised = true; $$->paren_span = @$; }
    | '(' expr ',' exprs ')'        {
          dg_items items = dg_items_before(p, $2, $2->depth, &$4);
          $$ = dg_ast_items(p, DG_E_TUPLE, @$, &items);
      }
    | '[' ']'                       { dg_items items = none(); $$ = dg_ast_items(p, DG_E_LIST, @$, &items); }
    | '[' exprs ']'                 { $$ = dg_ast_items(p, DG_E_LIST, @$, &$2); }
    | '[' exprs ',' ']'             { $$ = dg_ast_items(p, DG_E_LIST, @$, &$2); }
    | '[' expr FOR target IN expr filter ']'    { $$ = dg_ast_comprehension(p, @$, $2, $4, $6, $7); }
    | expr '(' oargs ')'            { $$ = dg_ast_call(p, @$, $1, NULL, &$3); }
    | expr '@' label '(' oargs ')'  { $$ = dg_ast_call(p, @$, $1, $3, &$5); }
    | expr '[' items ']'            { $$ = dg_ast_index(p, @$, $1, &$3); }
    ;
string
    : STRING                        { $$ = dg_ast_text(p, @$, $1); }
    | TEXT_HEAD expr parts TEXT_TAIL {
          dg_span head = {p->file, @1.begin + 1, @1.end - 1}, tail = {p->file, @4.begin + 1, @4.end - 1};
          dg_items items = dg_items_before(p, $2, $2->depth, &$3);
          items = dg_items_before(p, dg_ast_text(p, head, $1), 1, &items);
          dg_items_add(p, &items, dg_ast_text(p, tail, $4), 1);
          $$ = dg_ast_items(p, DG_E_STRING, @$, &items);
      }
    ;
parts
    : %empty                        { $$ = none(); }
    | parts TEXT_MIDDLE expr        {
          dg_span inner = {p->file, @2.begin + 1, @2.end - 1};
          $$ = $1;
          dg_items_add(p, &$$, dg_ast_text(p, inner, $2), 1);
          dg_items_add(p, &$$, $3, $3->depth);
      }
    ;
filter
    : %empty                        { $$ = NULL; }
    | IF expr                       { $$ = $2; }
    ;
exprs
    : expr                          { $$ = one(p, $1, $1->depth); }
    | exprs ',' expr                { $$ = $1; dg_items_add(p, &$$, $3, $3->depth); }
    ;
oargs
    : %empty                        { $$ = none(); }
    | args
    | args ','
    ;
args
    : arg                           { $$ = one(p, $1, $1->value->depth); }
    | args ',' arg                  { $$ = $1; dg_items_add(p, &$$, $3, $3->value->depth); }
    ;
arg
    : expr                          { $$ = dg_ast_arg(p, @$, NULL, $1); }
    | NAME '=' expr                 { $$ = dg_ast_arg(p, @$, $1, $3); }
    ;
items
    : item                          { $$ = one(p, $1, 0); }
    | items ',' item                { $$ = $1; dg_items_add(p, &$$, $3, 0); }
    ;
item
    : expr                          { $$ = dg_ast_index_item(p, DG_I_EXPR, @$, $1, NULL, NULL); }
    | '_'                           { $$ = dg_ast_index_item(p, DG_I_NEW_AXIS, @$, NULL, NULL, NULL); }
    | ELLIPSIS                      { $$ = dg_ast_index_item(p, DG_I_REST, @$, NULL, NULL, NULL); }
    | oexpr ':' oexpr               { $$ = dg_ast_index_item(p, DG_I_SLICE, @$, $1, $3, NULL); }
    | oexpr ':' oexpr ':' expr      { $$ = dg_ast_index_item(p, DG_I_SLICE, @$, $1, $3, $5); }
    ;
oexpr
    : %empty                        { $$ = NULL; }
    | expr
    ;
%%
static dg_items none(void)
{
    return (dg_items){0};
}

static dg_items one(dg_parser *p, void *item, int depth)
{
    dg_items list = {0};
    dg_items_add(p, &list, item, depth);
    return list;
}

/* Called by the generated parser only for what is no syntax error: its stack is full. */
static void dg_yyerror(dg_span *where, dg_parser *p, const char *message)
{
    (void)message;
    dg_parse_too_deep(p, *where);
}

static int yyreport_syntax_error(const yypcontext_t *context, dg_parser *p)
{
    enum { MOST = 64 };
    yysymbol_kind_t kinds[MOST];
    const char *expected[MOST];
    int n = yypcontext_expected_tokens(context, kinds, MOST);
    if (n < 0) return n;
    for (int i = 0; i < n; i++) expected[i] = yysymbol_name(kinds[i]);
    const char *found = yysymbol_name(yypcontext_token(context));
    dg_syntax_error(p, *yypcontext_location(context), found, expected, n);
    return 0;
}
