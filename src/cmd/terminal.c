#include "terminal.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 120
#define COLUMNS_MIN     60
#define COLUMNS_MAX     400

const char *fg_terminal_paint(const struct fg_cli *cli, const char *colour)
{
    return cli->colour ? colour : "";
}

int fg_terminal_columns(const struct fg_cli *cli)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int count = columns ? atoi(columns) : 0;
    if (count <= 0 && ioctl(fileno(cli->out), TIOCGWINSZ, &size) == 0)
        count = size.ws_col;
    if (count <= 0)
        count = COLUMNS_DEFAULT;
    return count < COLUMNS_MIN ? COLUMNS_MIN : count > COLUMNS_MAX ? COLUMNS_MAX : count;
}

bool fg_terminal_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
    }
    return false;
}

void fg_terminal_cell(FILE *out, struct fg_slice text, int columns)
{
    int used = 0;
    for (size_t at = 0; at < text.size && used < columns; used++) {
        int size = fg_utf8_step(text, at);
        bool is_control = size < 0 || text.data[at] < 0x20 || text.data[at] == 0x7f ||
                          (size == 2 && text.data[at] == 0xc2 && text.data[at + 1] < 0xa0);
        size_t bytes = (size_t)(size < 0 ? -size : size);
        if (used + 1 == columns && at + bytes < text.size)
            fputc('~', out);
        else if (is_control)
            fputc('?', out);
        else
            fwrite(text.data + at, 1, bytes, out);
        at += bytes;
    }
    fprintf(out, "%*s", columns - used, "");
}
