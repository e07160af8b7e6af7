/* waldump FILE...: what stands in the files of a write-ahead log. Reads and shows; changes nothing.
 *
 * Every group whose header is whole is shown, live or left over from a former use of the file:
 * which of them count, the manifest says. With --records each record too. */
#include "base/checked.h"
#include "base/limits.h"
#include "base/units.h"
#include "wal_format.h"

#include <stdio.h>
#include <stdlib.h>

struct dump {
    bool with_records;
    uint8_t *bytes;
    size_t size;
    unsigned bad_count;
};

static void show_records(struct dump *dump, const struct fg_wal_group *group, size_t offset)
{
    size_t end = offset + group->size_bytes;
    size_t at = offset + FG_WAL_GROUP_HEADER_SIZE;
    for (uint32_t i = 0; i < group->record_count; i++) {
        struct fg_slice rest = fg_slice(dump->bytes + at, end - at);
        struct fg_wal_record record;
        uint8_t *owned = NULL;
        size_t size;
        uint64_t checksum;
        unsigned long long sequence = (unsigned long long)group->first_sequence + i;
        if (fg_wal_record_peek(rest, &size, &checksum) < 0) {
            printf("    %llu: its size goes past the group's end\n", sequence);
            dump->bad_count++;
            return;
        }
        int r = fg_wal_record_decode(fg_slice(rest.data, size), &record, &owned);
        char when[FG_UNITS_TEXT_SIZE];
        if (r < 0) {
            printf("    %llu: %s\n", sequence, fg_error_name(r));
            dump->bad_count++;
        } else if (dump->with_records) {
            fg_time_format(record.received_ns, when);
            printf("    %llu: tenant %u, %zu bytes (%zu stored), request %016llx, %s\n", sequence,
                   record.tenant, record.payload.size, size - FG_WAL_RECORD_HEADER_SIZE,
                   (unsigned long long)record.request_hash, when);
        }
        free(owned);
        at += size;
    }
}

static void show_groups(struct dump *dump)
{
    size_t offset = 0;
    while (fg_range_fits(offset, FG_WAL_GROUP_HEADER_SIZE, dump->size)) {
        struct fg_wal_group group;
        int r = fg_wal_group_decode(dump->bytes + offset, &group);
        size_t step = FG_WAL_BLOCK_SIZE;
        if (r == FG_EUNSUPPORTED) {
            printf("  %zu: a group of a newer version\n", offset);
        } else if (r == 0) {
            printf("  %zu: store %016llx, epoch %llu, %u records from %llu on, synced below %llu, "
                   "%u bytes\n",
                   offset, (unsigned long long)group.store_id, (unsigned long long)group.epoch,
                   group.record_count, (unsigned long long)group.first_sequence,
                   (unsigned long long)group.synced_sequence, group.size_bytes);
            if (fg_range_fits(offset, group.size_bytes, dump->size)) {
                show_records(dump, &group, offset);
                step = (group.size_bytes + FG_WAL_BLOCK_SIZE - 1) & ~(FG_WAL_BLOCK_SIZE - 1);
            } else {
                printf("    it goes past the file's end\n");
                dump->bad_count++;
            }
        }
        offset += step;
    }
}

static int read_file(struct fg_env *env, const char *path, struct dump *dump)
{
    struct fg_file *file;
    uint64_t size;
    int r = fg_env_open(env, path, FG_OPEN_READ, &file);
    if (r < 0)
        return r;
    r = fg_file_size(file, &size);
    if (r == 0 && size > FG_WAL_FILE_SIZE_MAX)
        r = FG_ELIMIT;
    if (r == 0) {
        dump->bytes = malloc((size_t)size + 1);
        r = dump->bytes ? fg_file_pread(file, 0, dump->bytes, (size_t)size, &dump->size)
                        : FG_ENOMEM;
    }
    fg_file_close(file);
    return r;
}

int main(int argc, char **argv)
{
    struct dump dump = {0};
    int first = 1, code = 0;
    if (argc > 1 && strcmp(argv[1], "--records") == 0) {
        dump.with_records = true;
        first = 2;
    }
    if (first >= argc || argv[first][0] == '-') {
        fprintf(stderr, "usage: waldump [--records] FILE...\n"
                        "Shows the commit groups of files in DATA/wal. Ends with 1 where a record "
                        "is damaged.\n");
        return 2;
    }
    for (int i = first; i < argc; i++) {
        dump.bytes = NULL;
        dump.size = 0;
        int r = read_file(fg_env_real(), argv[i], &dump);
        printf("%s\n", argv[i]);
        if (r < 0) {
            fprintf(stderr, "waldump: %s: %s\n", argv[i], fg_error_name(r));
            code = 2;
        } else {
            show_groups(&dump);
        }
        free(dump.bytes);
    }
    return code ? code : dump.bad_count > 0;
}
