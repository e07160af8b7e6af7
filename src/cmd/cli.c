#include "command.h"

#include "base/checked.h"

#include <stdarg.h>
#include <stdlib.h>

enum fg_exit fg_cli_fail(struct fg_cli *cli, enum fg_exit code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("filigree: ", cli->err);
    vfprintf(cli->err, format, args);
    fputc('\n', cli->err);
    va_end(args);
    return code;
}

int fg_cli_read_file(struct fg_cli *cli, const char *path, size_t size_max, uint8_t **ret_data,
                     size_t *ret_size)
{
    struct fg_file *file;
    int r = fg_env_open(cli->env, path, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    uint8_t *data = malloc(size_max + 1);
    size_t size = 0;
    r = data ? fg_file_pread(file, 0, data, size_max + 1, &size) : FG_ENOMEM;
    fg_file_close(file);
    if (r == 0 && size > size_max)
        r = FG_ELIMIT;
    if (r < 0) {
        free(data);
        return r;
    }
    *ret_data = data;
    *ret_size = size;
    return 0;
}
