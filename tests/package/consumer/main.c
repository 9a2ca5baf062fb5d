/* What a stranger's program does first: include the header, link the library, open a context. */
#include <dg/dg.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(dg_version(), argv[1]) != 0 || strcmp(DG_VERSION, argv[1]) != 0) {
        fprintf(stderr, "library %s, header %s\n", dg_version(), DG_VERSION);
        return 1;
    }
    dg_context *c = dg_context_new(NULL);
    if (!c) return 1;
    dg_context_free(c);
    return 0;
}
