/* A client certificate as struct fg_net_identity: one piece of memory, counted. */
#include "net/identity.h"

#include "tls_context.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

/* Names of one kind; more than a certificate has any use for. What is over is left out. */
#define NAMES_MAX 32

struct identity {
    struct fg_net_identity public; /* first */
    unsigned refs;                 /* on the loop's thread */
    struct fg_slice dns_names[NAMES_MAX], uris[NAMES_MAX], emails[NAMES_MAX];
    size_t used, capacity;
    uint8_t *text; /* behind it */
};

static struct fg_slice keep(struct identity *identity, const void *data, size_t size)
{
    if (size > identity->capacity - identity->used)
        return fg_slice(NULL, 0);
    uint8_t *to = identity->text + identity->used;
    memcpy(to, data, size);
    identity->used += size;
    return fg_slice(to, size);
}

static bool is_plain(struct fg_slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.size > 0;
}

static void keep_name(struct identity *identity, struct fg_slice *names, size_t *count,
                      const ASN1_IA5STRING *name)
{
    struct fg_slice text = fg_slice(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
    if (!is_plain(text) || *count == NAMES_MAX)
        return;
    struct fg_slice kept = keep(identity, text.data, text.size);
    if (kept.size)
        names[(*count)++] = kept;
}

static void take_names(struct identity *identity, const GENERAL_NAMES *names)
{
    struct fg_net_identity *public = &identity->public;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            keep_name(identity, identity->dns_names, &public->dns_name_count, name->d.dNSName);
        else if (name->type == GEN_URI)
            keep_name(identity, identity->uris, &public->uri_count,
                      name->d.uniformResourceIdentifier);
        else if (name->type == GEN_EMAIL)
            keep_name(identity, identity->emails, &public->email_count, name->d.rfc822Name);
    }
    public->dns_names = identity->dns_names;
    public->uris = identity->uris;
    public->emails = identity->emails;
}

/* As UTF-8; empty where it has a control character. */
static void take_common_name(struct identity *identity, const X509_NAME *subject)
{
    int last = -1, at;
    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, last)) >= 0)
        last = at;
    if (last < 0)
        return;
    unsigned char *text = NULL;
    int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
    bool is_good = size > 0;
    for (int i = 0; i < size; i++)
        is_good &= text[i] >= ' ' && text[i] != 0x7f;
    if (is_good)
        identity->public.common_name = keep(identity, text, (size_t)size);
    OPENSSL_free(text);
}

/* RFC 2253 escapes what is no plain text. */
static void take_subject(struct identity *identity, const X509_NAME *subject)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (bio && X509_NAME_print_ex(bio, subject, 0, XN_FLAG_RFC2253) >= 0) {
        long size = BIO_get_mem_data(bio, &text);
        if (size > 0)
            identity->public.subject = keep(identity, text, (size_t)size);
    }
    BIO_free(bio);
}

const struct fg_net_identity *fg_identity_new(X509 *certificate)
{
    /* Escaping makes three bytes of one at most; the rest is no longer than it was. */
    int encoded = i2d_X509(certificate, NULL);
    if (encoded <= 0)
        return NULL;
    size_t capacity = 4 * (size_t)encoded;
    struct identity *identity = calloc(1, sizeof *identity + capacity);
    if (!identity)
        return NULL;
    identity->refs = 1;
    identity->capacity = capacity;
    identity->text = (uint8_t *)(identity + 1);
    identity->public.not_after_s = fg_tls_time(X509_get0_notAfter(certificate));
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), identity->public.fingerprint, &size) != 1 ||
        size != FG_FINGERPRINT_SIZE) {
        free(identity);
        return NULL;
    }
    const X509_NAME *subject = X509_get_subject_name(certificate);
    take_subject(identity, subject);
    take_common_name(identity, subject);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    take_names(identity, names);
    GENERAL_NAMES_free(names);
    return &identity->public;
}

/* Others see it as it is for ever; only its counter changes. */
static struct identity *identity_of(const struct fg_net_identity *public)
{
    return (struct identity *)(uintptr_t) public;
}

const struct fg_net_identity *fg_identity_ref(const struct fg_net_identity *public)
{
    if (public)
        identity_of(public)->refs++;
    return public;
}

void fg_identity_unref(const struct fg_net_identity *public)
{
    struct identity *identity = identity_of(public);
    if (identity && --identity->refs == 0)
        free(identity);
}
