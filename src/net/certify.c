#include "net/certify.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE_MAX 253u /* of a host name: RFC 1035 section 2.3.4 */
#define URI_SIZE_MAX  2048u
#define SERIAL_SIZE   16

static int add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool is_added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added ? 0 : FG_ENOMEM;
}

/* RFC 5280 section 4.1.2.2: positive, and not to be guessed. */
static int set_serial(struct fg_env *env, X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    fg_env_random(env, bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set ? 0 : FG_ENOMEM;
}

static bool is_name(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (iscntrl((unsigned char)text[i]))
            return false;
    return size > 0 && size <= ub_common_name;
}

/* What both kinds have: version 3, serial, dates, subject, key. NULL: no memory. */
static X509 *begin(struct fg_env *env, const char *common_name, int64_t not_before_s,
                   int64_t not_after_s, EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_NAME_new();
    bool is_good = certificate && subject && X509_set_version(certificate, X509_VERSION_3) == 1 &&
                   set_serial(env, certificate) == 0 &&
                   ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before_s) &&
                   ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after_s) &&
                   X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                              (const unsigned char *)common_name, -1, -1, 0) == 1 &&
                   X509_set_subject_name(certificate, subject) == 1 &&
                   X509_set_pubkey(certificate, key) == 1;
    X509_NAME_free(subject);
    if (is_good)
        return certificate;
    X509_free(certificate);
    return NULL;
}

static int append_pem(struct fg_buffer *buffer, X509 *certificate, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    int r = FG_ENOMEM;
    bool is_written =
        bio && (key ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_bio_X509(bio, certificate)) == 1;
    if (is_written) {
        long size = BIO_get_mem_data(bio, &text);
        fg_buffer_append(buffer, text, (size_t)size);
        r = buffer->error;
        if (key)
            OPENSSL_cleanse(text, (size_t)size);
    }
    BIO_free(bio);
    return r;
}

/* Signs, and writes both. */
static int finish(X509 *certificate, EVP_PKEY *signer, EVP_PKEY *key, struct fg_buffer *key_text,
                  struct fg_buffer *text)
{
    if (X509_sign(certificate, signer, EVP_sha256()) == 0)
        return FG_ENOMEM;
    int r = append_pem(key_text, NULL, key);
    return r == 0 ? append_pem(text, certificate, NULL) : r;
}

int fg_certify_authority(struct fg_env *env, const char *common_name, int64_t not_before_s,
                         int64_t not_after_s, struct fg_buffer *key_text,
                         struct fg_buffer *certificate_text)
{
    if (!is_name(common_name))
        return FG_EINVALID;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key ? begin(env, common_name, not_before_s, not_after_s, key) : NULL;
    int r = FG_ENOMEM;
    if (certificate && X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
        add_extension(certificate, certificate, NID_basic_constraints,
                      "critical,CA:TRUE,pathlen:0") == 0 &&
        add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") ==
            0 &&
        add_extension(certificate, certificate, NID_subject_key_identifier, "hash") == 0)
        r = finish(certificate, key, key, key_text, certificate_text);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}

/* -- Signing --------------------------------------------------------------------------------------
 */

struct issuing {
    struct fg_arena *arena;
    const char **ret_message;
    EVP_PKEY *authority_key;
    X509 *authority;
};

static int refuse(struct issuing *issuing, const char *format, const char *name)
{
    char text[300];
    snprintf(text, sizeof text, format, name);
    *issuing->ret_message = fg_arena_string(issuing->arena, fg_slice_from_string(text));
    return FG_EINVALID;
}

static int no_passphrase(char *buffer, int size, int is_writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    (void)arg;
    return -1;
}

static BIO *open_text(struct fg_slice text)
{
    return text.size <= INT32_MAX ? BIO_new_mem_buf(text.data, (int)text.size) : NULL;
}

static int read_authority(struct issuing *issuing, struct fg_slice key, struct fg_slice certificate)
{
    BIO *key_bio = open_text(key), *bio = open_text(certificate);
    if (key_bio)
        issuing->authority_key = PEM_read_bio_PrivateKey(key_bio, NULL, no_passphrase, NULL);
    if (bio)
        issuing->authority = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(key_bio);
    BIO_free(bio);
    if (!issuing->authority)
        return refuse(issuing, "the authority's certificate is no certificate in PEM form%s", "");
    if (!issuing->authority_key)
        return refuse(issuing, "the authority's key is no private key in PEM form%s", "");
    if (X509_check_private_key(issuing->authority, issuing->authority_key) != 1)
        return refuse(issuing, "the authority's key is not that of its certificate%s", "");
    if (X509_check_ca(issuing->authority) < 1)
        return refuse(issuing, "the authority's certificate is no authority's%s", "");
    return 0;
}

/* Letters, digits, dashes and dots, and a * for the first part. */
static bool is_host(const char *text)
{
    size_t size = strlen(text), at = strncmp(text, "*.", 2) == 0 ? 2 : 0;
    bool was_dot = true;
    if (size == 0 || size > NAME_SIZE_MAX)
        return false;
    for (; at < size; at++) {
        bool is_dot = text[at] == '.', is_dash = text[at] == '-';
        bool is_edge = was_dot || at + 1 == size || text[at + 1] == '.';
        if ((is_dot && was_dot) || (is_dash && is_edge))
            return false;
        if (!is_dot && !is_dash && !isalnum((unsigned char)text[at]) && text[at] != '_')
            return false;
        was_dot = is_dot;
    }
    return !was_dot;
}

static bool is_uri(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return strstr(text, "://") && strlen(text) <= URI_SIZE_MAX;
}

/* NULL: it is no name, or no memory. */
static GENERAL_NAME *name_of(const char *text)
{
    uint8_t address[16];
    bool is_v4 = inet_pton(AF_INET, text, address) == 1;
    bool is_v6 = !is_v4 && inet_pton(AF_INET6, text, address) == 1;
    bool is_address = is_v4 || is_v6, is_link = !is_address && is_uri(text);
    if (!is_address && !is_link && !is_host(text))
        return NULL;
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = is_address ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    bool is_set = name && value &&
                  ASN1_STRING_set(value, is_address ? (const void *)address : text,
                                  is_v4   ? 4
                                  : is_v6 ? 16
                                          : -1) == 1;
    if (!is_set) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, is_address ? GEN_IPADD : is_link ? GEN_URI : GEN_DNS, value);
    return name;
}

static int add_names(struct issuing *issuing, X509 *certificate,
                     const struct fg_certify_request *request)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    int r = names ? 0 : FG_ENOMEM;
    for (size_t i = 0; r == 0 && i < request->name_count; i++) {
        GENERAL_NAME *name = name_of(request->names[i]);
        if (!name)
            r = refuse(issuing, "'%.200s' is no host name, IP address or URI", request->names[i]);
        else if (sk_GENERAL_NAME_push(names, name) <= 0)
            r = FG_ENOMEM;
        if (r == FG_ENOMEM)
            GENERAL_NAME_free(name);
    }
    if (r == 0 && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) != 1)
        r = FG_ENOMEM;
    GENERAL_NAMES_free(names);
    return r;
}

static int issue(struct issuing *issuing, X509 *certificate,
                 const struct fg_certify_request *request)
{
    bool is_server = request->use == FG_CERTIFY_SERVER;
    X509 *authority = issuing->authority;
    if (X509_set_issuer_name(certificate, X509_get_subject_name(authority)) != 1)
        return FG_ENOMEM;
    int r = add_extension(certificate, authority, NID_basic_constraints, "critical,CA:FALSE");
    if (r == 0)
        r = add_extension(certificate, authority, NID_key_usage, "critical,digitalSignature");
    if (r == 0)
        r = add_extension(certificate, authority, NID_ext_key_usage,
                          is_server ? "serverAuth" : "clientAuth");
    if (r == 0)
        r = add_extension(certificate, authority, NID_subject_key_identifier, "hash");
    if (r == 0)
        r = add_extension(certificate, authority, NID_authority_key_identifier, "keyid");
    return r == 0 && request->name_count ? add_names(issuing, certificate, request) : r;
}

int fg_certify_issue(struct fg_env *env, struct fg_slice authority_key, struct fg_slice authority,
                     const struct fg_certify_request *request, struct fg_arena *arena,
                     const char **ret_message, struct fg_buffer *key_text,
                     struct fg_buffer *certificate_text)
{
    struct issuing issuing = {.arena = arena, .ret_message = ret_message};
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int r = is_name(request->common_name)
                ? read_authority(&issuing, authority_key, authority)
                : refuse(&issuing, "'%.200s' is no name: 1 to 64 bytes without control characters",
                         request->common_name);
    if (r == 0) {
        key = EVP_EC_gen("P-256");
        certificate =
            key ? begin(env, request->common_name, request->not_before_s, request->not_after_s, key)
                : NULL;
        r = certificate ? issue(&issuing, certificate, request) : FG_ENOMEM;
    }
    if (r == 0)
        r = finish(certificate, issuing.authority_key, key, key_text, certificate_text);
    X509_free(certificate);
    EVP_PKEY_free(key);
    X509_free(issuing.authority);
    EVP_PKEY_free(issuing.authority_key);
    ERR_clear_error();
    return r;
}
