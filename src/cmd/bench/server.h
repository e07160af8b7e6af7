/* A server under measurement: one that the bench starts itself, kills and starts again, or another
 * process of which only the number is known. */
#pragma once

#include "../command.h"

#include <sys/types.h>

#define FG_BENCH_PATH_SIZE    4096
#define FG_BENCH_ADDRESS_SIZE 300

struct fg_bench_server {
    struct fg_cli *cli;
    pid_t pid; /* 0: none */
    bool is_own;
    char folder[FG_BENCH_PATH_SIZE]; /* own: holds data/ and server.log */
    char data[FG_BENCH_PATH_SIZE];   /* "": not known */
    char otlp[FG_BENCH_ADDRESS_SIZE], grpc[FG_BENCH_ADDRESS_SIZE], api[FG_BENCH_ADDRESS_SIZE];
    bool is_tls; /* own: its OTLP ports speak TLS, by certs/ in its folder */
    char ca_file[FG_BENCH_PATH_SIZE], cert_file[FG_BENCH_PATH_SIZE], key_file[FG_BENCH_PATH_SIZE];
    char *const *options; /* more words for `filigree serve` */
    size_t option_count;
};

/* What the kernel has counted for a process. */
struct fg_bench_usage {
    double cpu_seconds;     /* user and system */
    uint64_t written_bytes; /* given to write(), files and sockets; 0 where it is not to be seen */
    uint64_t resident_bytes, resident_bytes_max;
};

/* Makes the folder (a new one in TMPDIR or /var/tmp where folder is NULL) and chooses free ports.
 * On failure a sentence has been said. */
FG_MUST_CHECK int fg_bench_server_prepare(struct fg_bench_server *server, const char *folder);

/* Makes an authority and a certificate in certs/ of the folder, by `filigree certs`, unless they
 * are there; from then on it is started with them. On failure a sentence has been said. */
FG_MUST_CHECK int fg_bench_server_certify(struct fg_bench_server *server);

/* Starts it. It dies with this process. */
FG_MUST_CHECK int fg_bench_server_start(struct fg_bench_server *server);

/* Waits until /readyz answers 200; *ret_ns is the time since the call. FG_ETIMEOUT, or FG_EIO where
 * the process ended: a sentence has been said. */
FG_MUST_CHECK int fg_bench_server_wait(struct fg_bench_server *server, uint64_t *ret_ns);

/* Sends a signal and waits for the end. */
void fg_bench_server_end(struct fg_bench_server *server, int signal);

/* Removes an own folder that fg_bench_server_prepare() made up. */
void fg_bench_server_clean(struct fg_bench_server *server);

/* FG_ENOTFOUND where there is no such process. */
FG_MUST_CHECK int fg_bench_usage_read(struct fg_cli *cli, pid_t pid, struct fg_bench_usage *ret);

/* Processor seconds of all threads of the process that have this name; 0 where there is none. */
double fg_bench_thread_seconds(struct fg_cli *cli, pid_t pid, const char *name);

/* Bytes that the disk which holds path has written since the machine started, all processes
 * together, after everything that waits was written; 0 where that is not to be seen. A process's
 * own write_bytes in /proc would be nearer, but counts whole page-cache folios: a megabyte for each
 * synced kilobyte. */
uint64_t fg_bench_disk_written(struct fg_cli *cli, const char *path);

/* Bytes of the files of a folder: those whose number follows what is stored, and those of fixed
 * size (the log and the reserve of a Filigree store). */
FG_MUST_CHECK int fg_bench_folder_size(struct fg_cli *cli, const char *path, uint64_t *ret_bytes,
                                       uint64_t *ret_fixed_bytes);
