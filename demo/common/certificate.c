#include "certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX 65536L

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? calloc(1, FILE_SIZE_MAX) : NULL;
    if (text && (fread(text, 1, FILE_SIZE_MAX - 1, file) == 0 || ferror(file))) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    if (!text)
        fprintf(stderr, "can't read %s\n", path);
    return text;
}

bool certificate_read(struct certificate *ret_certificate)
{
    const char *chain = getenv("TLS_CERT"), *key = getenv("TLS_KEY");
    *ret_certificate = (struct certificate){0};
    if (!chain || !*chain)
        return true;
    *ret_certificate =
        (struct certificate){.chain = read_file(chain), .key = read_file(key ? key : "")};
    if (ret_certificate->chain && ret_certificate->key)
        return true;
    certificate_free(ret_certificate);
    return false;
}

void certificate_free(struct certificate *certificate)
{
    if (certificate->key)
        explicit_bzero(certificate->key, strlen(certificate->key));
    free(certificate->chain);
    free(certificate->key);
    *certificate = (struct certificate){0};
}

unsigned certificate_flags(const struct certificate *certificate)
{
    return certificate->key ? MHD_USE_TLS : 0;
}

void certificate_options(const struct certificate *certificate, struct MHD_OptionItem options[4])
{
    int count = 0;
    if (certificate->key) {
        options[count++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, certificate->chain};
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, certificate->key};
        options[count++] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_PRIORITIES, 0,
            (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
    }
    options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}
