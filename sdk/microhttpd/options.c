/* MHD_start_daemon()'s options are arguments whose types follow from their numbers, as microhttpd.h
 * describes them. They are put into an array, after which one more can follow. */
#include "server.h"

#include <stdarg.h>
#include <string.h>

enum kind { UNKNOWN, INT, UNSIGNED, SIZE, POINTER, TWO_POINTERS, SIZE_AND_POINTER };

static enum kind kind_of(enum MHD_OPTION option)
{
    switch (option) {
    case MHD_OPTION_CONNECTION_MEMORY_LIMIT:
    case MHD_OPTION_CONNECTION_MEMORY_INCREMENT:
    case MHD_OPTION_THREAD_STACK_SIZE:
        return SIZE;
    case MHD_OPTION_CONNECTION_LIMIT:
    case MHD_OPTION_CONNECTION_TIMEOUT:
    case MHD_OPTION_PER_IP_CONNECTION_LIMIT:
    case MHD_OPTION_THREAD_POOL_SIZE:
    case MHD_OPTION_NONCE_NC_SIZE:
    case MHD_OPTION_TCP_FASTOPEN_QUEUE_SIZE:
    case MHD_OPTION_LISTENING_ADDRESS_REUSE:
    case MHD_OPTION_LISTEN_BACKLOG_SIZE:
    case MHD_OPTION_SERVER_INSANITY:
        return UNSIGNED;
    case MHD_OPTION_LISTEN_SOCKET:
    case MHD_OPTION_HTTPS_CRED_TYPE:
    case MHD_OPTION_STRICT_FOR_CLIENT:
    case MHD_OPTION_SIGPIPE_HANDLED_BY_APP:
    case MHD_OPTION_TLS_NO_ALPN:
        return INT;
    case MHD_OPTION_SOCK_ADDR:
    case MHD_OPTION_HTTPS_MEM_KEY:
    case MHD_OPTION_HTTPS_MEM_CERT:
    case MHD_OPTION_HTTPS_MEM_TRUST:
    case MHD_OPTION_HTTPS_MEM_DHPARAMS:
    case MHD_OPTION_HTTPS_KEY_PASSWORD:
    case MHD_OPTION_HTTPS_PRIORITIES:
    case MHD_OPTION_HTTPS_CERT_CALLBACK:
    case MHD_OPTION_ARRAY:
        return POINTER;
    case MHD_OPTION_NOTIFY_COMPLETED:
    case MHD_OPTION_NOTIFY_CONNECTION:
    case MHD_OPTION_URI_LOG_CALLBACK:
    case MHD_OPTION_EXTERNAL_LOGGER:
    case MHD_OPTION_UNESCAPE_CALLBACK:
    case MHD_OPTION_GNUTLS_PSK_CRED_HANDLER:
        return TWO_POINTERS;
    case MHD_OPTION_DIGEST_AUTH_RANDOM:
        return SIZE_AND_POINTER;
    default:
        return UNKNOWN;
    }
}

static void note_completed(struct fg_mhd_server *server, const struct MHD_OptionItem *item,
                           int depth)
{
    if (item->option == MHD_OPTION_NOTIFY_COMPLETED) {
        server->completed = (MHD_RequestCompletedCallback)item->value;
        server->completed_arg = item->ptr_value;
    }
    const struct MHD_OptionItem *inner = item->option == MHD_OPTION_ARRAY ? item->ptr_value : NULL;
    for (; inner && inner->option != MHD_OPTION_END && depth < 4; inner++)
        note_completed(server, inner, depth + 1);
}

bool fg_mhd_read_options(va_list args, struct fg_mhd_server *server,
                         struct MHD_OptionItem items[FG_MHD_OPTIONS_MAX])
{
    size_t count = 0;
    for (;;) {
        struct MHD_OptionItem item = {.option = (enum MHD_OPTION)va_arg(args, int)};
        enum kind kind = kind_of(item.option);
        if (item.option == MHD_OPTION_END)
            break;
        if (kind == UNKNOWN || count == FG_MHD_OPTIONS_MAX - 1)
            return false;
        /* The branches differ in the type that they take. NOLINTBEGIN(bugprone-branch-clone) */
        if (kind == SIZE || kind == SIZE_AND_POINTER)
            item.value = (intptr_t)va_arg(args, size_t);
        else if (kind == UNSIGNED)
            item.value = (intptr_t)va_arg(args, unsigned);
        else if (kind == INT)
            item.value = va_arg(args, int);
        else if (kind == TWO_POINTERS)
            item.value = (intptr_t)va_arg(args, void *);
        /* NOLINTEND(bugprone-branch-clone) */
        if (kind == POINTER || kind == TWO_POINTERS || kind == SIZE_AND_POINTER)
            item.ptr_value = va_arg(args, void *);
        note_completed(server, &item, 0);
        items[count++] = item;
    }
    items[count] = (struct MHD_OptionItem){.option = MHD_OPTION_END};
    return true;
}
