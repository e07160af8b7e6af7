/* Certificates and ticket keys of TLS listeners, and the SSL_CTX that is made of them.
 *
 * A context is immutable once it is in use; a reload makes another and swaps it. Each connection
 * holds a reference to its own. Ticket keys belong to struct fg_tls and survive a reload, unless
 * the authority of client certificates changes: `scope`, a hash of it, is in every session's
 * context, so a session is resumed only under the authority and on the listener that it began with.
 */
#include "tls_context.h"

#include "base/limits.h"
#include "os/thread.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_NAME_SIZE 16
#define SCOPE_SIZE       24
#define TEXT_SIZE        512
#define CHAIN_MAX        10u

_Static_assert(SCOPE_SIZE + 2 <= SSL_MAX_SID_CTX_LENGTH, "a listener's scope is a session context");

struct ticket_key {
    uint8_t name[TICKET_NAME_SIZE];
    uint8_t cipher[32], mac[32];
    bool is_set;
};

struct fg_tls {
    struct fg_env *env;
    BIO_METHOD *bio;
    struct fg_mutex mutex; /* guards what follows */
    SSL_CTX *context;      /* NULL: nothing is loaded */
    uint8_t scope[SCOPE_SIZE];
    struct fg_tls_facts facts;
    struct ticket_key keys[2]; /* the one that seals, and the one before it */
    uint64_t key_since_ns;
};

/* -- Tickets --------------------------------------------------------------------------------------
 */

static void make_key(struct fg_tls *tls, struct ticket_key *ret_key)
{
    fg_env_random(tls->env, ret_key->name, sizeof ret_key->name);
    fg_env_random(tls->env, ret_key->cipher, sizeof ret_key->cipher);
    fg_env_random(tls->env, ret_key->mac, sizeof ret_key->mac);
    ret_key->is_set = true;
}

static void forget_keys(struct fg_tls *tls)
{
    OPENSSL_cleanse(tls->keys, sizeof tls->keys);
}

/* Under the mutex. A key seals for one period and opens for one more. */
static void rotate_keys(struct fg_tls *tls)
{
    uint64_t now_ns = fg_env_mono_ns(tls->env);
    uint64_t age_ns = now_ns - tls->key_since_ns;
    if (tls->keys[0].is_set && age_ns < FG_NET_TICKET_KEY_NS)
        return;
    tls->keys[1] = tls->keys[0];
    if (age_ns >= 2 * FG_NET_TICKET_KEY_NS)
        tls->keys[1].is_set = false;
    make_key(tls, &tls->keys[0]);
    tls->key_since_ns = now_ns;
}

/* The key for a new ticket, or that of a given one. False: there is none. */
static bool find_key(struct fg_tls *tls, const uint8_t *name, bool is_new,
                     struct ticket_key *ret_key, bool *ret_is_old)
{
    bool is_found = false;
    fg_mutex_lock(&tls->mutex);
    rotate_keys(tls);
    for (unsigned i = 0; i < 2 && !is_found; i++) {
        const struct ticket_key *key = &tls->keys[i];
        is_found = key->is_set && (is_new || CRYPTO_memcmp(key->name, name, sizeof key->name) == 0);
        if (is_found) {
            *ret_key = *key;
            *ret_is_old = i > 0;
        }
    }
    fg_mutex_unlock(&tls->mutex);
    return is_found;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 good, 2 good and to be made anew, 0 not known, -1
 * failed. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_new)
{
    struct fg_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    bool is_old = false;
    if (!find_key(tls, name, is_new != 0, &key, &is_old))
        return 0;
    if (is_new) {
        memcpy(name, key.name, sizeof key.name);
        fg_env_random(tls->env, iv, 16);
    }
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof key.mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool is_good = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, is_new) > 0 &&
                   EVP_MAC_CTX_set_params(mac, parameters) > 0;
    OPENSSL_cleanse(&key, sizeof key);
    return !is_good ? -1 : is_old && !is_new ? 2 : 1;
}

/* -- The BIO --------------------------------------------------------------------------------------
 */

static int bio_read(BIO *bio, char *data, int size)
{
    BIO_clear_retry_flags(bio);
    int n = fg_tls_bio_read(BIO_get_data(bio), data, size);
    if (n < 0)
        BIO_set_retry_read(bio);
    return n;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    BIO_clear_retry_flags(bio);
    return fg_tls_bio_write(BIO_get_data(bio), data, size);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "filigree");
    if (!method)
        return NULL;
    bool is_good = BIO_meth_set_read(method, bio_read) && BIO_meth_set_write(method, bio_write) &&
                   BIO_meth_set_ctrl(method, bio_ctrl) && BIO_meth_set_create(method, bio_create);
    if (is_good)
        return method;
    BIO_meth_free(method);
    return NULL;
}

int fg_tls_new(struct fg_env *env, struct fg_tls **ret_tls)
{
    struct fg_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return FG_ENOMEM;
    tls->env = env;
    tls->bio = bio_method_new();
    if (!tls->bio) {
        free(tls);
        return FG_ENOMEM;
    }
    fg_mutex_init(&tls->mutex, FG_RANK_LEAF);
    *ret_tls = tls;
    return 0;
}

void fg_tls_free(struct fg_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    forget_keys(tls);
    BIO_meth_free(tls->bio);
    fg_mutex_destroy(&tls->mutex);
    free(tls);
}

/* -- Loading --------------------------------------------------------------------------------------
 */

struct loading {
    SSL_CTX *context;
    char why[TEXT_SIZE]; /* empty: no memory */
};

/* With OpenSSL's own word for the last failure. */
static int say(struct loading *loading, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason)
        snprintf(loading->why, sizeof loading->why, "%s (%s)", what, reason);
    else
        snprintf(loading->why, sizeof loading->why, "%s", what);
    return FG_EINVALID;
}

static int refuse(struct loading *loading, const char *what)
{
    snprintf(loading->why, sizeof loading->why, "%s", what);
    return FG_EINVALID;
}

static BIO *open_text(struct fg_slice text)
{
    return text.size <= INT32_MAX ? BIO_new_mem_buf(text.data, (int)text.size) : NULL;
}

int64_t fg_tls_time(const ASN1_TIME *time)
{
    int days, seconds;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool is_good = epoch && time && ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    return is_good ? (int64_t)days * 86400 + seconds : INT64_MIN;
}

static void append_name(struct fg_tls_facts *facts, const char *text, size_t size)
{
    size_t at = strlen(facts->names), left = sizeof facts->names - at;
    if (size + 3 <= left)
        snprintf(facts->names + at, left, "%s%.*s", at ? ", " : "", (int)size, text);
}

static void append_address(struct fg_tls_facts *facts, const ASN1_OCTET_STRING *address)
{
    char text[INET6_ADDRSTRLEN];
    int size = ASN1_STRING_length(address);
    if ((size == 4 || size == 16) && inet_ntop(size == 4 ? AF_INET : AF_INET6,
                                               ASN1_STRING_get0_data(address), text, sizeof text))
        append_name(facts, text, strlen(text));
}

static void describe(X509 *certificate, struct fg_tls_facts *ret_facts)
{
    *ret_facts = (struct fg_tls_facts){
        .not_before_s = fg_tls_time(X509_get0_notBefore(certificate)),
        .not_after_s = fg_tls_time(X509_get0_notAfter(certificate)),
    };
    BIO *text = BIO_new(BIO_s_mem());
    if (text &&
        X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
        (void)BIO_read(text, ret_facts->subject, sizeof ret_facts->subject - 1);
    BIO_free(text);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            append_name(ret_facts, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                        (size_t)ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            append_address(ret_facts, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

static int check_dates(struct loading *loading, struct fg_tls *tls,
                       const struct fg_tls_facts *facts)
{
    int64_t now_s = (int64_t)(fg_env_wall_ns(tls->env) / FG_NS_PER_SECOND);
    if (facts->not_after_s < now_s)
        return refuse(loading, "the certificate has expired");
    if (facts->not_before_s > now_s)
        return refuse(loading, "the certificate is not valid yet; is the clock right?");
    return 0;
}

/* The first is the server's own. */
static int use_certificates(struct loading *loading, struct fg_tls *tls, struct fg_slice text,
                            struct fg_tls_facts *ret_facts)
{
    BIO *bio = open_text(text);
    if (!bio)
        return FG_ENOMEM;
    int r = 0;
    unsigned count = 0;
    X509 *certificate = NULL;
    while (r == 0 && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (count++ == 0) {
            describe(certificate, ret_facts);
            r = check_dates(loading, tls, ret_facts);
            if (r == 0 && SSL_CTX_use_certificate(loading->context, certificate) != 1)
                r = say(loading, "the certificate can't be used");
        } else if (count > CHAIN_MAX) {
            r = refuse(loading, "the certificate's file has more than 10 certificates");
        } else if (SSL_CTX_add1_chain_cert(loading->context, certificate) != 1) {
            r = say(loading, "the certificate's chain can't be used");
        }
        X509_free(certificate);
    }
    BIO_free(bio);
    if (r == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        r = say(loading, "the certificate's file is damaged");
    if (r == 0 && count == 0)
        r = refuse(loading, "the certificate's file holds no certificate in PEM form");
    ERR_clear_error();
    return r;
}

/* Nobody is here to be asked. */
static int no_passphrase(char *buffer, int size, int is_writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)is_writing;
    *(bool *)arg = true;
    return -1;
}

static int use_key(struct loading *loading, struct fg_slice text)
{
    bool is_encrypted = false;
    BIO *bio = open_text(text);
    if (!bio)
        return FG_ENOMEM;
    int r = 0;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &is_encrypted);
    if (is_encrypted)
        r = refuse(loading, "the key is encrypted; give one without a passphrase, that only the "
                            "server's user may read");
    else if (!key)
        r = say(loading, "the key's file holds no private key in PEM form");
    else if (SSL_CTX_use_PrivateKey(loading->context, key) != 1 ||
             SSL_CTX_check_private_key(loading->context) != 1)
        r = say(loading, "the key is not that of the certificate");
    EVP_PKEY_free(key);
    BIO_free_all(bio);
    ERR_clear_error();
    return r;
}

/* Clients hear which authorities are taken, so that they choose the right one of several
 * certificates. */
static int use_authority(struct loading *loading, struct fg_slice text)
{
    X509_STORE *store = SSL_CTX_get_cert_store(loading->context);
    BIO *bio = open_text(text);
    if (!bio)
        return FG_ENOMEM;
    int r = 0;
    unsigned count = 0;
    X509 *certificate = NULL;
    while (r == 0 && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count++;
        if (X509_check_ca(certificate) < 1)
            r = refuse(loading, "tls-client-ca holds a certificate that is no authority's");
        else if (X509_STORE_add_cert(store, certificate) != 1 ||
                 SSL_CTX_add_client_CA(loading->context, certificate) != 1)
            r = say(loading, "tls-client-ca can't be used");
        X509_free(certificate);
    }
    BIO_free(bio);
    if (r == 0 && count == 0)
        r = refuse(loading, "tls-client-ca holds no certificate in PEM form");
    ERR_clear_error();
    return r;
}

/* Lists of revoked certificates beside the authorities: where there is one a client's certificate
 * must be on none, and its authority must have one that is in date. */
static int use_revoked(struct loading *loading, struct fg_slice text)
{
    X509_STORE *store = SSL_CTX_get_cert_store(loading->context);
    BIO *bio = open_text(text);
    if (!bio)
        return FG_ENOMEM;
    int r = 0;
    X509_CRL *list = NULL;
    while (r == 0 && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_crl(store, list) != 1 ||
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK) != 1)
            r = say(loading, "tls-client-ca: a list of revoked certificates can't be used");
        X509_CRL_free(list);
    }
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

/* What a client proposes first that is here, but for what it prefers for want of AES in hardware.
 */
static const unsigned char protocols[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                   const unsigned char *in, unsigned int in_size, void *arg)
{
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_size, protocols, sizeof protocols, in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 section 3.2 */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Every message of a handshake comes by, and each record's header. */
static void on_message(int is_written, int version, int content_type, const void *data, size_t size,
                       SSL *ssl, void *arg)
{
    const uint8_t *message = data;
    (void)version;
    (void)arg;
    if (is_written || content_type != SSL3_RT_HANDSHAKE || size == 0)
        return;
    if (message[0] == SSL3_MT_KEY_UPDATE || message[0] == SSL3_MT_CLIENT_HELLO)
        fg_tls_on_handshake(SSL_get_app_data(ssl));
}

/* RFC 9325, and what RFC 9113 section 9.2.2 leaves to HTTP/2. */
static bool set_up(SSL_CTX *context, struct fg_tls *tls)
{
    const uint64_t wanted = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                            SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
    SSL_CTX_set_options(context, wanted);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    SSL_CTX_set_msg_callback(context, on_message);
    SSL_CTX_set_max_cert_list(context, FG_NET_HANDSHAKE_SIZE_MAX / 2);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, (long)(FG_NET_TICKET_KEY_NS / FG_NS_PER_SECOND));
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
           SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1;
}

static int load(struct fg_tls *tls, const struct fg_tls_material *material, struct loading *loading,
                struct fg_tls_facts *ret_facts)
{
    ERR_clear_error();
    loading->context = SSL_CTX_new(TLS_server_method());
    if (!loading->context || !set_up(loading->context, tls))
        return FG_ENOMEM;
    int r = use_certificates(loading, tls, material->certificates, ret_facts);
    if (r == 0)
        r = use_key(loading, material->key);
    if (r == 0 && material->client_authority.size)
        r = use_authority(loading, material->client_authority);
    if (r == 0 && material->client_authority.size)
        r = use_revoked(loading, material->client_authority);
    return r;
}

static bool hash_scope(struct fg_slice authority, uint8_t ret_scope[SCOPE_SIZE])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    if (EVP_Digest(authority.data, authority.size, hash, NULL, EVP_sha256(), NULL) != 1)
        return false;
    memcpy(ret_scope, hash, SCOPE_SIZE);
    return true;
}

int fg_tls_load(struct fg_tls *tls, const struct fg_tls_material *material, struct fg_arena *arena,
                const char **ret_message)
{
    struct loading loading = {0};
    struct fg_tls_facts facts;
    uint8_t scope[SCOPE_SIZE];
    int r = load(tls, material, &loading, &facts);
    if (r == 0 && !hash_scope(material->client_authority, scope))
        r = FG_ENOMEM;
    if (r < 0) {
        SSL_CTX_free(loading.context);
        *ret_message = "out of memory";
        if (r == FG_EINVALID)
            *ret_message = fg_arena_string(arena, fg_slice_from_string(loading.why));
        return r;
    }
    fg_mutex_lock(&tls->mutex);
    SSL_CTX *before = tls->context;
    tls->context = loading.context;
    tls->facts = facts;
    if (memcmp(tls->scope, scope, sizeof scope) != 0)
        forget_keys(tls);
    memcpy(tls->scope, scope, sizeof scope);
    fg_mutex_unlock(&tls->mutex);
    SSL_CTX_free(before);
    return 0;
}

int fg_tls_facts(struct fg_tls *tls, struct fg_tls_facts *ret_facts)
{
    fg_mutex_lock(&tls->mutex);
    bool is_loaded = tls->context != NULL;
    if (is_loaded)
        *ret_facts = tls->facts;
    fg_mutex_unlock(&tls->mutex);
    return is_loaded ? 0 : FG_ENOTFOUND;
}

/* -- For connections ------------------------------------------------------------------------------
 */

SSL *fg_tls_session_new(struct fg_tls *tls, void *bio_data, int face,
                        enum fg_client_certificate client)
{
    static const int modes[] = {
        [FG_CLIENT_CERTIFICATE_NONE] = SSL_VERIFY_NONE,
        [FG_CLIENT_CERTIFICATE_ASK] = SSL_VERIFY_PEER,
        [FG_CLIENT_CERTIFICATE_REQUIRE] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };
    uint8_t scope[SCOPE_SIZE + 2];
    fg_mutex_lock(&tls->mutex);
    SSL *ssl = tls->context ? SSL_new(tls->context) : NULL;
    memcpy(scope, tls->scope, SCOPE_SIZE);
    fg_mutex_unlock(&tls->mutex);
    BIO *bio = ssl ? BIO_new(tls->bio) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    BIO_set_data(bio, bio_data);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, bio_data);
    SSL_set_accept_state(ssl);
    SSL_set_verify(ssl, modes[client], NULL);
    scope[SCOPE_SIZE] = (uint8_t)face;
    scope[SCOPE_SIZE + 1] = (uint8_t)client;
    if (SSL_set_session_id_context(ssl, scope, sizeof scope) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}
